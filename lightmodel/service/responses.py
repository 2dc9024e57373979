"""Responses that several routes give: files of a version, cached by browsers."""

import hashlib

from flask import Response, abort, request

from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import read_report, read_verdict
from lightmodel.store.versions import Version

# The report embeds its styles and images and has no script; browsers add styles to a lone image.
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_response(version: Version, signer: Signer) -> Response:
    """Return the report of a version; one without a report is answered with 404."""
    verdict = read_verdict(version, signer)
    if verdict is None or verdict.report_sha256 is None:
        abort(404, "this model has no report")
    return file_response(read_report(version, verdict), "text/html")


def file_response(content: bytes, mimetype: str) -> Response:
    """Return a file of a version, which loads nothing and runs no script."""
    response = cacheable(content, mimetype)
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    return response


def cacheable(content: bytes, mimetype: str) -> Response:
    """Return a response that browsers cache and revalidate by its ETag."""
    response = Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.make_conditional(request)
    return response
