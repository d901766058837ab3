// isomorphic-git as a git client. Commands: see integration/README.md.
'use strict'

const fs = require('fs')
const git = require('isomorphic-git')
const http = require('isomorphic-git/http/node')

const commands = {
  clone: (url, dir) => git.clone({ fs, http, dir, url }),

  shallow: (url, dir) => git.clone({ fs, http, dir, url, depth: 1, singleBranch: true }),

  fetch: dir => git.fetch({ fs, http, dir, remote: 'origin', tags: true }),

  'ls-remote': async url => {
    const refs = await git.listServerRefs({ http, url, protocolVersion: 1, symrefs: true, peelTags: true })
    for (const { ref, oid, peeled } of refs) {
      console.log(`${oid}\t${ref}`)
      if (peeled) console.log(`${peeled}\t${ref}^{}`)
    }
  },

  push: async (dir, branch) => {
    const result = await git.push({ fs, http, dir, remote: 'origin', ref: branch, remoteRef: branch })
    if (!result.ok) throw new Error(JSON.stringify(result))
  },
}

const [command, ...args] = process.argv.slice(2)
Promise.resolve()
  .then(() => commands[command](...args))
  .catch(error => {
    console.error(String(error), error.data ? JSON.stringify(error.data) : '')
    process.exitCode = 1
  })
