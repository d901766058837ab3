"""Files that tankard reads."""
import os


def place(path, text, mode=0o600):
    """Written beside and renamed: nobody sees half of it."""
    beside = str(path) + ".new"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(beside, mode)
    os.rename(beside, path)
    return str(path)
