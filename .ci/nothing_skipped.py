"""End with an error where a JUnit file names a skipped test, or no test at all."""

import sys
from xml.etree import ElementTree

for name in sys.argv[1:]:
    suite = ElementTree.parse(name).getroot().find("testsuite")
    if suite is None or suite.get("skipped") != "0" or suite.get("tests") == "0":
        found = {} if suite is None else suite.attrib
        sys.exit(f"{name}: {found.get('tests')} tests, {found.get('skipped')} skipped")
