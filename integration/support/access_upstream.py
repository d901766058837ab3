"""A git host with users and with rights per repository, both changeable while it runs, as hosts for teams have them.

Nobody in particular is asked for a name (401) wherever the repository is not public, also where there is none. Somebody
whose password is right but who has no right to the repository is told 403, or 404 as GitHub does (refuse_with), and so
is whoever names a repository that does not exist. Whoever has a right may read and push. What moved answers 301.

    host.add_user("ann", "pass-of-ann")
    host.allow("team/one.git", "ann");  host.forbid("team/one.git", "ann")
    host.set_password("ann", "another")     # the former one is expired from now on
    host.make_public("team/one.git");   host.make_private("team/one.git")
    host.rename("team/one.git", "team/two.git")
"""
import base64
import os
import shutil

from .upstream import Upstream, git_http_backend

CHALLENGE = 'Basic realm="Git host"'

_NGINX = """
daemon off;
master_process off;
{user}
pid {root}/nginx.pid;
error_log {root}/error.log info;
events {{ worker_connections 4096; }}
http {{
  log_format evidence escape=json '{{"method":"$request_method","uri":"$request_uri","status":$status,'
    '"bytes":$body_bytes_sent,"agent":"$http_user_agent","protocol":"$http_git_protocol","auth":"$remote_user"}}';
  access_log {root}/access.log evidence;
  client_body_temp_path {root}/tmp-body;
  fastcgi_temp_path {root}/tmp-fastcgi;
  proxy_temp_path {root}/tmp-proxy;
  uwsgi_temp_path {root}/tmp-uwsgi;
  scgi_temp_path {root}/tmp-scgi;
  client_max_body_size 0;
  keepalive_timeout 75s;
  map $uri $repository {{
    default "none";
    "~^/(?<name>.+?\\.git)(?:/|$)" $name;
  }}
  map "$uri?$arg_service" $doing {{
    default "read";
    "~git-receive-pack" "push";
  }}
  server {{
    listen 127.0.0.1:{port};
    server_name _;
    location / {{
      set $realm "Git host";
      set $case "private-$doing";
      if (-f {root}/rights/$repository/public) {{ set $case "public-$doing"; }}
      if ($case = "public-read") {{ set $realm "off"; }}
      auth_basic $realm;
      auth_basic_user_file {root}/htpasswd;
      include {root}/git.conf;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param GIT_PROJECT_ROOT {root}/repos;
      fastcgi_param ACCESS_RIGHTS {root}/rights;
      fastcgi_param ACCESS_REPOSITORY $repository;
      fastcgi_param ACCESS_CASE $case;
      fastcgi_param ACCESS_REST $uri$is_args$args;
      fastcgi_param ACCESS_ORIGIN http://$http_host;
    }}
  }}
}}
"""

# What nginx let in is asked here: who they are is known, what they may see is not.
_AUTHORISE = """#!/bin/sh
rights=$ACCESS_RIGHTS/$ACCESS_REPOSITORY
say() {{
  printf 'Status: %s\\r\\nContent-Type: text/plain\\r\\n%s\\r\\n%s\\n' "$1" "$2" "$3"
  cat >/dev/null
  exit 0
}}
read -r refusal <"$ACCESS_RIGHTS/refusal"
if [ -e "$rights/refusal" ]; then read -r refusal <"$rights/refusal"; fi
if [ "$ACCESS_CASE" != public-read ] && ! [ -e "$rights/users/$REMOTE_USER" ]; then say "$refusal" '' 'The host says no.'; fi
if [ -e "$rights/moved" ]; then
  read -r target <"$rights/moved"
  say '301 Moved Permanently' "Location: $ACCESS_ORIGIN/$target${{ACCESS_REST#/"$ACCESS_REPOSITORY"}}
" 'The repository has moved.'
fi
exec {backend}
"""

_STATUS = {403: "403 Forbidden", 404: "404 Not Found"}


def basic(user, password):
    """The header that git sends for a user."""
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class AccessUpstream(Upstream):
    nginx_conf = _NGINX

    def __init__(self, refusal=403, workers=8):
        super().__init__(workers)
        self.users = {}
        self.rights = os.path.join(self.root, "rights")
        os.makedirs(self.rights)
        self.refuse_with(refusal)
        self._write_users()

    def backend(self):
        script = os.path.join(self.root, "authorise")
        with open(script, "w", encoding="ascii") as file:
            file.write(_AUTHORISE.format(backend=git_http_backend()))
        os.chmod(script, 0o755)
        return script

    # Users

    def add_user(self, name, password):
        """Returns the header of that user."""
        self.users[name] = password
        self._write_users()
        return basic(name, password)

    set_password = add_user

    def remove_user(self, name):
        del self.users[name]
        self._write_users()

    def _write_users(self):
        self._replace("htpasswd", "".join(f"{name}:{{PLAIN}}{password}\n" for name, password in self.users.items()))

    # Rights

    def refuse_with(self, status, repository=""):
        """What users without a right to a repository are told from now on: 403 or 404."""
        self._replace(os.path.join("rights", repository, "refusal"), _STATUS[status] + "\n")

    def allow(self, repository, *users):
        for user in users:
            self._mark(repository, os.path.join("users", user), True)

    def forbid(self, repository, *users):
        for user in users:
            self._mark(repository, os.path.join("users", user), False)

    def make_public(self, repository):
        self._mark(repository, "public", True)

    def make_private(self, repository):
        self._mark(repository, "public", False)

    def _mark(self, repository, name, there):
        path = os.path.join(self.rights, repository, name)
        if there:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii"):
                pass
        elif os.path.exists(path):
            os.unlink(path)

    # Lives

    def path(self, repository):
        return os.path.join(self.repos, repository)

    def delete(self, repository):
        """The repository and every right to it are gone."""
        for folder in (self.path(repository), os.path.join(self.rights, repository)):
            shutil.rmtree(folder, ignore_errors=True)

    def rename(self, old, new):
        """Who may see it is sent from the old name to the new one; others are told about the old one as ever."""
        os.makedirs(os.path.dirname(self.path(new)), exist_ok=True)
        os.rename(self.path(old), self.path(new))
        shutil.copytree(os.path.join(self.rights, old), os.path.join(self.rights, new))
        self._replace(os.path.join("rights", old, "moved"), new + "\n")

    def _replace(self, name, text):
        """nginx and its scripts may read it at any moment."""
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
