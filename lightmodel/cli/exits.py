"""The exit code of every error."""

from lightmodel import errors

BUG, USAGE, INTERRUPTED = 1, 2, 130
EXIT_CODES: dict[type[errors.LightModelError], int] = {
    errors.QualityGateFailed: 10,
    errors.DeployFailed: 11,
    errors.NotReproduced: 12,
    errors.DataError: 65,
    errors.ContractViolation: 65,
    errors.DriftExceeded: 65,
    errors.TooLarge: 65,
    errors.ArtefactMissing: 66,
    errors.ArtefactCorrupt: 74,
    errors.StorageFull: 74,
    errors.SourceUnavailable: 75,
    errors.QuotaExceeded: 75,
    errors.AlreadyRunning: 75,
    errors.ConfigError: 78,
    errors.NotPossible: 78,
}
MEANINGS = {
    0: "done: the newest candidate is approved",
    BUG: "a bug; the traceback says where",
    USAGE: "the command line makes no sense",
    10: "the quality gate said no; what is served stays",
    11: "the new version did not prove itself; what answered before goes on",
    12: "the model trained again is another one; it is said in what",
    65: "the table cannot be used; tell its owner",
    66: "an earlier stage did not run",
    74: "an artefact is damaged, or the disk is full; what is served stays",
    75: "something outside does not answer, or another run is under way; try again later",
    78: "a setting is wrong",
    INTERRUPTED: "interrupted; the next run goes on",
}


def exit_code(error: errors.LightModelError) -> int:
    """Return the code of an error."""
    return EXIT_CODES.get(type(error), BUG)
