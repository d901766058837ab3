// go-git as a git client. Commands: see integration/README.md.
package main

import (
	"errors"
	"fmt"
	"os"

	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

func clone(url, folder string) error {
	_, err := git.PlainClone(folder, false, &git.CloneOptions{URL: url})
	return err
}

// The branch is named because this version takes a single HEAD for refs/heads/master.
func shallow(url, folder string) error {
	_, err := git.PlainClone(folder, false, &git.CloneOptions{
		URL: url, Depth: 1, SingleBranch: true, ReferenceName: "refs/heads/main"})
	return err
}

func fetch(folder string) error {
	repository, err := git.PlainOpen(folder)
	if err != nil {
		return err
	}
	err = repository.Fetch(&git.FetchOptions{RemoteName: "origin"})
	if errors.Is(err, git.NoErrAlreadyUpToDate) {
		return nil
	}
	return err
}

func lsRemote(url string) error {
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{url}})
	refs, err := remote.List(&git.ListOptions{})
	if err != nil {
		return err
	}
	values := map[plumbing.ReferenceName]plumbing.Hash{}
	for _, ref := range refs {
		values[ref.Name()] = ref.Hash()
	}
	for _, ref := range refs {
		value := ref.Hash()
		if ref.Type() == plumbing.SymbolicReference {
			value = values[ref.Target()]
		}
		fmt.Printf("%s\t%s\n", value, ref.Name())
	}
	return nil
}

func push(folder, branch string) error {
	repository, err := git.PlainOpen(folder)
	if err != nil {
		return err
	}
	spec := config.RefSpec(fmt.Sprintf("refs/heads/%s:refs/heads/%s", branch, branch))
	return repository.Push(&git.PushOptions{RemoteName: "origin", RefSpecs: []config.RefSpec{spec}})
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "clone":
		return clone(args[1], args[2])
	case len(args) == 3 && args[0] == "shallow":
		return shallow(args[1], args[2])
	case len(args) == 2 && args[0] == "fetch":
		return fetch(args[1])
	case len(args) == 2 && args[0] == "ls-remote":
		return lsRemote(args[1])
	case len(args) == 3 && args[0] == "push":
		return push(args[1], args[2])
	}
	return fmt.Errorf("not a command: %v", args)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
