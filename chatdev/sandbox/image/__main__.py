"""`python -m chatdev.sandbox.image`: build the sandbox image (see the package's docstring)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from chatdev.errors import UserError
from chatdev.sandbox.image import LOCAL_BASE, build_image, default_tag, image_present
from chatdev.sandbox.image.kits import build_kit, kit_tag


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatdev.sandbox.image", description="Build the sandbox image.")
    parser.add_argument("--base", help="base image; auto makes one with debootstrap when none can be pulled")
    parser.add_argument("--again", action="store_true", help="build even when the image is there")
    parser.add_argument(
        "--kit", action="append", default=[], help="also build this kit: web, c, go, java … (repeatable)"
    )
    options = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        if image_present() and not options.again:
            tell(f"{default_tag()} is there already")
        else:
            tell(f"built {_with_any_base(tell) if options.base == 'auto' else build_image(options.base, tell)}")
        for kit in options.kit:
            if options.again or not image_present(kit_tag(kit)):
                build_kit(kit, tell)
            tell(f"{kit_tag(kit)} is there")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _with_any_base(line: Callable[[str], None]) -> str:
    from chatdev.sandbox.docker_engine import connect
    from chatdev.sandbox.image import find_base
    from chatdev.sandbox.image.debootstrap import build_base_with_debootstrap

    client = connect()
    try:
        base = find_base(client, line)
    except UserError:
        line(f"no base in reach: making {LOCAL_BASE} with debootstrap")
        base = build_base_with_debootstrap(line)
    finally:
        client.close()
    return build_image(base, line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
