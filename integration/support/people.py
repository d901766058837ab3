"""People with an account on the host, as tankard's clients: their header, their URL, their git with a credential helper."""
import os

from .access_upstream import basic

_HELPER = """#!/bin/sh
input=$(cat)
printf '%s\\n' "$1" >>"$HOME/helper.log"
printf '%s\\n' "$input" | git credential-store --file="$HOME/passwords" "$1"
"""


class Person:
    def __init__(self, host, name):
        self.host, self.name, self.password = host, name, f"Swordfish-of-{name}"
        self.header = [host.add_user(name, self.password)]
        self.userinfo = f"{name}:{self.password}"

    @property
    def base64(self):
        return self.header[0][1].removeprefix("Basic ")

    def password_expires(self):
        """The host wants another one from now on; this person goes on with the old one."""
        self.host.set_password(self.name, f"Sailfish-of-{self.name}")

    def with_wrong_password(self):
        return [basic(self.name, "Swordfish-that-never-was")]


class CredentialHelper:
    """`git credential-store` behind a script that writes down what git asks of it. Git asks it and nobody else."""

    def __init__(self, git):
        self.home = git.home
        script = os.path.join(self.home, "helper")
        with open(script, "w", encoding="ascii") as file:
            file.write(_HELPER)
        os.chmod(script, 0o755)
        git.check("config", "--global", "credential.helper", script)

    def knows(self, person, url):
        """Stores a password as the user would; `url` is any below the server."""
        server = url.split("/", 3)[2]
        with open(os.path.join(self.home, "passwords"), "w", encoding="ascii") as file:
            file.write(f"http://{person.userinfo}@{server}\n")

    def passwords(self):
        with open(os.path.join(self.home, "passwords"), encoding="ascii") as file:
            return file.read()

    def asked(self):
        """What git asked since the last look: ["get", "store"], ["get", "erase"], ..."""
        path = os.path.join(self.home, "helper.log")
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            verbs = file.read().split()
        os.unlink(path)
        return verbs
