"""What a run is made of, resolved and checked before Spark starts."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from skillsim.cells import Gathering
from skillsim.config import Config
from skillsim.decider import Decider, choose_decider
from skillsim.errors import ConfigError
from skillsim.esco import Bundle, find_bundle
from skillsim.lexicon import Lexicon, configured_lexicon
from skillsim.model_files import resolve_model
from skillsim.retrieval import retrieval_id
from skillsim.spark.runs import NO_CLUSTERS, RunIds
from skillsim.successors import read_successors, sole_successors
from skillsim.variants import choose_variants

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Settings, bundle, decisions and lexicon of a run, and the ids they give.

    `named_successors`: as the file of taxonomy.successors says; `successors`: of concepts that the bundle lacks, the
    one each has become. `lexicon` is the configured one with these in their place. Without a `gathering` a run makes
    no clusters.
    """

    config: Config
    bundle: Bundle
    decider: Decider
    gathering: Gathering | None
    configured_lexicon: Lexicon
    lexicon: Lexicon
    named_successors: Mapping[str, tuple[str, ...]]
    successors: Mapping[str, str]
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
    variants, why_none = choose_variants(config, model.model_id)
    if why_none:
        log.warning("no clusters: %s", why_none)
    gathering = Gathering(variants, config.clusters.cells) if variants else None
    named = read_successors(config.taxonomy.successors)
    successors = sole_successors(named, bundle.concept_uris)
    configured = configured_lexicon(linking.lexicon, linking.builtin_lexicon, bundle.language)
    lexicon = configured.succeeded(successors)
    ids = RunIds(
        config.input.source,
        bundle.taxonomy_id,
        model.model_id,
        retrieval_id(config.retrieval.top_k),
        decider.decider_id,
        lexicon.lexicon_id,
        gathering.clusters_id if gathering else NO_CLUSTERS,
    )
    return Plan(config, bundle, decider, gathering, configured, lexicon, named, successors, ids)
