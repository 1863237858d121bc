"""read_compose.py FILE: reads a compose file strictly and prints its services as JSON. Merges (<<) and defaults of variables are
resolved first, as docker compose does; words that the specification does not know are an error."""

import json
import re
import sys

import compose_spec
import yaml


def main(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", file.read())
    resolved = yaml.safe_load(text)
    for name in [name for name in resolved if name.startswith("x-")]:
        del resolved[name]
    compose = compose_spec.PyCompose.from_yaml(yaml.safe_dump(resolved))
    compose.validate()
    print(json.dumps({name: resolved["services"][name] for name in sorted(compose.service_names())}))


main(sys.argv[1])
