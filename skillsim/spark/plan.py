"""What a run is made of, resolved and checked before Spark starts."""

import logging
from dataclasses import dataclass

from skillsim.config import Config
from skillsim.decider import Decider, choose_decider
from skillsim.errors import ConfigError
from skillsim.esco import Bundle, find_bundle
from skillsim.lexicon import Lexicon, configured_lexicon
from skillsim.model_files import resolve_model
from skillsim.retrieval import retrieval_id
from skillsim.spark.runs import RunIds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Settings, bundle, decision and lexicon of a run, and the ids they give."""

    config: Config
    bundle: Bundle
    decider: Decider
    lexicon: Lexicon
    ids: RunIds


def plan_run(config: Config) -> Plan:
    """Find bundle and model and derive their ids. Raises the errors of both, and ConfigError for what is not set."""
    if not config.taxonomy.path:
        raise ConfigError("no taxonomy: give --taxonomy the ESCO zips or their folder (or set taxonomy.path).")
    encoder, linking = config.encoder, config.linking
    model = resolve_model(encoder.model, encoder.precision, encoder.prompt, encoder.max_length)
    bundle = find_bundle(config.taxonomy.path, config.taxonomy.language, config.taxonomy.version)
    decider, reasons = choose_decider(config, bundle, model.model_id)
    for reason in reasons:
        log.warning("%s", reason)
    lexicon = configured_lexicon(linking.lexicon, linking.builtin_lexicon, bundle.language)
    ids = RunIds(
        config.input.source,
        bundle.taxonomy_id,
        model.model_id,
        retrieval_id(config.retrieval.top_k),
        decider.decider_id,
        lexicon.lexicon_id,
    )
    return Plan(config, bundle, decider, lexicon, ids)
