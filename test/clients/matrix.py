"""The rows of a script of make clients-test: README.md describes them."""

import os
import sys
import traceback


def row(client, operation, outcome="ok"):
    """Prints a row. Whatever does not begin with "ok" is a failure."""
    print(client, operation, " ".join(str(outcome).split())[:300], sep="\t", flush=True)


def attempt(client, operation, function, *args):
    """Calls the function and prints a row: ok with the text that it returned, or the error. It returns whether it was ok."""
    try:
        note = function(*args)
    except Exception as error:  # a row for each, whatever fails
        traceback.print_exc(file=sys.stderr)
        row(client, operation, f"{type(error).__name__}: {error}")
        return False
    row(client, operation, f"ok {note}" if note else "ok")
    return True


def image():
    """Returns the bytes of the JPEG."""
    with open(os.environ["IMAGE"], "rb") as file:
        return file.read()
