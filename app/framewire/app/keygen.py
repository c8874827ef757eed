"""`keygen`: a pair of keys."""

from framewire.common.keys import make_keys
from framewire.common.options import Json
from framewire.common.terminal import EXIT_DONE, print_json

__all__ = ["keygen"]


def keygen(name: str, /, *, json: Json = False) -> int:
    """Make a pair of keys for one machine: what is sent with keys is encrypted, and strangers get
    nothing.

    NAME.key_secret stays on the machine, readable by its user only. NAME.key goes to the others. A
    file that is there already is never replaced.

    Parameters
    ----------
    name
        Name of the machine or program, as in lab-pi; it may begin with a folder.
    """
    files = make_keys(name)
    if json:
        print_json(event="keys", public=str(files.public), secret=str(files.secret))
        return EXIT_DONE
    print(
        f"""{files.secret}  the secret key: it stays here, and nobody else may read it
{files.public}  the public key: give it to those who talk with this machine

Who binds an address keeps the keys of those who may connect in a folder:
  framewire send camera:0 --bind tcp://0.0.0.0:5555 --key {files.secret} --allow FOLDER
Who connects names the key of the other side:
  framewire view tcp://HOST:5555 --key {files.secret} --server-key OTHER.key"""
    )
    return EXIT_DONE
