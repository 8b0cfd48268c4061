"""What a cluster says of its texts' concepts: linking of V through clusters, against linking text by text.

`python tests/benchmarks/votes.py ROOT` takes the clusters of an output with skill2vec_50K in it, and links V
(training.splits) and all texts of V's clusters, without the lexicon's entries of V's strings. Two rules are tried on
the first pass: the leader's answer stands for a text where the leader is the surer one, and all texts of a cluster
vote, each by its probability and the logarithm of its mentions. Gains are paired, with 95% intervals by bootstrap over
strings.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import typer
from deltalake import DeltaTable
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import load_config
from skillsim.judged import Answers, answers_of, outcomes, read_judged_strings
from skillsim.metrics import ABSTAINED, bootstrap_weights, linking_scores, paired_difference, recall_difference
from skillsim.normaliser import Normaliser
from skillsim.text import parse_mention, text_key
from tests.benchmarks import SHARED, require, show
from training.judged import FILES, MEASURED
from training.splits import read_splits

TOP_K = 12
PRECISION = 0.90


def clustered_texts(root: Path) -> pd.DataFrame:
    """text_key, text, cluster_id, leader_key, mentions."""

    def read(name: str, columns: list[str]) -> pd.DataFrame:
        return DeltaTable(str(root / "tables" / name)).to_pyarrow_table(columns=columns).to_pandas()

    counts = read("mentions", ["text_key"])["text_key"].value_counts().rename("mentions")
    members = read("cluster_members", ["text_key", "cluster_id", "leader_key"])
    return members.merge(read("texts", ["text_key", "text"]), on="text_key").join(counts, on="text_key")


def through_clusters(own: Answers, rows: pd.DataFrame, found: pd.DataFrame, by: str) -> Answers:
    """`own`, with another's concept and confidence where a cluster is surer. `rows`: text_key and cluster_id of each
    string; `found`: texts of the clusters with concept, confidence, weight and leads (bool)."""
    top, confidence = list(own.top), own.confidence.copy()
    of_cluster = dict(tuple(found.groupby("cluster_id")))
    for place, cluster_id in enumerate(rows["cluster_id"]):
        texts = of_cluster.get(cluster_id)
        if texts is None or len(texts) < 2 or confidence[place] == ABSTAINED:
            continue
        if by == "leader":
            (concept, sure), *_ = texts.loc[texts["leads"], ["concept", "confidence"]].itertuples(index=False)
        else:
            sums = (texts["confidence"] * texts["weight"]).groupby(texts["concept"]).sum()
            concept = sums.idxmax() if len(sums) else None
            sure = sums.max() / texts["weight"].sum() if len(sums) else ABSTAINED
        if concept is not None and (by == "vote" or sure > confidence[place]):
            top[place], confidence[place] = concept, sure
    return replace(own, top=top, confidence=confidence)


def main(
    root: Path,
    shared: Path = typer.Option(SHARED, help="folder of the data"),
    settings: list[str] = typer.Option([], "--set", help="section.key=value, as in the job; repeatable"),
) -> None:
    """Link, vote, print."""
    path = shared / "gold" / FILES[0]
    require(path, shared / "esco", root)
    judged = read_judged_strings(path, MEASURED)
    judged["text_key"] = [text_key(parse_mention(raw).text or raw.casefold()) for raw in judged["raw"]]
    splits = read_splits()
    judged = judged[judged["text_key"].map(splits["validation"]).fillna(False).astype(bool)].reset_index(drop=True)
    texts = clustered_texts(root)
    judged = judged.merge(texts[["text_key", "cluster_id"]], on="text_key", how="left")
    texts = texts[texts["cluster_id"].isin(judged["cluster_id"])].reset_index(drop=True)
    config = load_config(None, settings)
    normaliser = Normaliser.from_esco(shared / "esco", config.encoder.model, "1.1.1", config=config)
    normaliser = normaliser.without(judged["raw"].tolist())
    own = answers_of(normaliser.link(judged["raw"].tolist()), TOP_K)
    links = normaliser.link(texts["text"].tolist())
    of_texts = answers_of(links, TOP_K)
    told = (links["method"] == "lexicon") & links["concept_uri"].notna()
    texts = texts.assign(
        concept=of_texts.top,
        confidence=np.where(told, 1.0, np.maximum(of_texts.confidence, 0)),
        weight=np.log1p(texts["mentions"]),
        leads=texts["text_key"] == texts["leader_key"],
    )
    systems = {"text by text": own} | {by: through_clusters(own, judged, texts, by) for by in ("leader", "vote")}
    found = {name: outcomes(judged, answers) for name, answers in systems.items()}
    weights = bootstrap_weights(len(judged))
    console, lines = Console(width=150), []
    for name, of_one in found.items():
        scores = linking_scores(of_one, weights)
        gains = [
            paired_difference(of_one.top_accepted, found["text by text"].top_accepted, of_one.linked, weights),
            recall_difference(of_one, found["text by text"], PRECISION, weights),
        ]
        told = [scores["acc@1"], scores[f"recall@P>={PRECISION:.2f}"], *gains]
        lines.append([name, *(f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]" for score in told)])
    several = judged["cluster_id"].map(texts["cluster_id"].value_counts()) > 1
    title = f"V: {len(judged)} strings, {int(several.sum())} in a cluster of several texts"
    show(console, title, ["", "acc@1", f"recall@P>={PRECISION:.2f}", "gain of acc@1", "gain of recall"], lines)


if __name__ == "__main__":
    typer.run(main)
