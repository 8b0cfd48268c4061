"""Errors a user can mend: each message names the file, row, column or option, and the remedy."""


class SkillsimError(Exception):
    """A bad input, setting or environment. Jobs print it on one line and exit with code 2."""


class ConfigError(SkillsimError):
    """A configuration key or value is wrong."""


class RecordsError(SkillsimError):
    """The records to normalise cannot be read."""


class TaxonomyError(SkillsimError):
    """The taxonomy bundle cannot be read."""


class LexiconError(SkillsimError):
    """The skill lexicon cannot be read, or contradicts itself."""


class ModelError(SkillsimError):
    """The encoder cannot be loaded."""


class PlatformError(SkillsimError):
    """Java, Spark, Delta or an executor's Python is missing or unfit."""


class ReviewError(SkillsimError):
    """A curator's decision cannot be taken as it stands."""


class JudgedError(SkillsimError):
    """A file of judged strings cannot be read as one."""


class AuditError(SkillsimError):
    """Groups of people are not to be had, or too few to compare."""


class DeciderError(SkillsimError):
    """A fitted decision that cannot be read, or that holds for another encoder, language or taxonomy."""


class TrainingError(SkillsimError):
    """A recipe, a training file or a split is not usable."""


class TablesError(SkillsimError):
    """The output namespace is not usable."""


class ArtifactError(SkillsimError):
    """A label index or a memory is not to be had where it should be, or is damaged."""


class LeaseError(TablesError):
    """Another run writes to the namespace."""


class BalanceError(SkillsimError):
    """A stage lost or invented rows: the counts of the run do not balance."""
