"""A certificate authority made on the spot with openssl, and certificates of it, as PEM files."""
import os
import subprocess


class Authority:
    def __init__(self, folder, name="tankard test authority"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.file, self._key = self._path("ca.pem"), self._path("ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.file)

    def _path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _openssl(*args):
        done = subprocess.run(["openssl", *args], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", folder=None, days=1):
        """Writes tls.crt and tls.key into a folder of their own; returns its path."""
        folder = str(folder or self._path(name))
        os.makedirs(folder, exist_ok=True)
        key, request, extensions = (os.path.join(folder, n) for n in ("tls.key", "tls.csr", "tls.ext"))
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", str(days),
                      "-extfile", extensions, "-out", os.path.join(folder, "tls.crt"))
        return folder
