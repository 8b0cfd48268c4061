"""The tables of clusters: what they must be of the pairs and mentions, also after kills, and a history that adds up."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from skillsim.clusters import ranks, stars
from skillsim.config import ReportConfig
from skillsim.schemas import CLUSTER_MEMBERS, MENTIONS, RUNS, Table
from skillsim.spark.cluster_tables import nearest_groups
from skillsim.spark.erasure import forget
from skillsim.spark.report import collect_report
from skillsim.spark.runs import last_made
from skillsim.spark.tables import Tables
from skillsim.variants import SHIPPED, Variants
from tests.spark.conftest import CLUSTERS_ON, Run, stage_rows
from tests.spark.identity import read
from tests.spark.test_erasure import IDS, holders

pytestmark = [pytest.mark.spark, pytest.mark.delta]

THRESHOLD = Variants.load(SHIPPED["builtin"]).threshold
NO_CLUSTERS = "texts are not gathered into clusters"


def check(root: Path) -> pd.DataFrame:
    """Members are the stars of the pairs, and the history's ids are theirs. Gives the members."""
    members, pairs, mentions = (read(root, name) for name in ("cluster_members", "pairs", "mentions"))
    counts = mentions["text_key"].value_counts()
    keys = np.array(sorted(pairs.loc[pairs["left_key"] == pairs["right_key"], "left_key"]))
    assert set(keys) == set(read(root, "texts")["text_key"])
    near = pairs[(pairs["left_key"] < pairs["right_key"]) & (pairs["score"] >= THRESHOLD)]
    rows = [np.searchsorted(keys, near[side]) for side in ("left_key", "right_key")]
    texts_near = np.bincount(np.concatenate(rows), minlength=len(keys))
    leader = stars(*rows, near["score"].to_numpy(), ranks(counts[keys].to_numpy(), texts_near, keys))
    assert members["text_key"].tolist() == keys.tolist()
    assert members["leader_key"].tolist() == keys[leader].tolist()
    assert (members["score"].isna() == (members["text_key"] == members["leader_key"])).all()
    assert members.groupby("cluster_id")["leader_key"].nunique().eq(1).all()
    assert members["cluster_id"].nunique() == members["leader_key"].nunique()
    history = read(root, "cluster_history")
    begun, gone = (set(history.loc[history["event"].isin(of), "cluster_id"]) for of in (BEGUN, GONE))
    assert begun - gone == set(members["cluster_id"])
    assert gone <= begun
    assert not history.loc[history["event"].isin(BEGUN), "cluster_id"].duplicated().any()
    skills = read(root, "normalised_skills").dropna(subset="text_key")
    of_text = members.set_index("text_key")["cluster_id"]
    assert skills["cluster_id"].tolist() == of_text[skills["text_key"]].tolist()
    return members


BEGUN, GONE = ("created", "split"), ("merged", "ended")


def test_members_follow_from_pairs_and_clusters_sum_up_their_mentions(clustered: Run) -> None:
    members = check(clustered.root)
    assert 50 < (members["text_key"] != members["leader_key"]).sum() < 200
    assert set(read(clustered.root, "cluster_history")["event"]) == {"created"}
    skills = read(clustered.root, "normalised_skills").dropna(subset="text_key")
    clusters = read(clustered.root, "clusters").set_index("cluster_id")
    assert set(clusters.index) == set(members["cluster_id"])
    for cluster_id, rows in skills.groupby("cluster_id"):
        row = clusters.loc[cluster_id]
        assert row["mentions"] == len(rows)
        assert row["texts"] == rows["text_key"].nunique()
        assert row["records"] == rows["record_id"].nunique()
        assert row["mentions_before"] is None or np.isnan(row["mentions_before"])
        modes = rows["status"].mode()
        assert row["status"] in set(modes)
        matched = rows.loc[rows["status"] == "matched", "concept_uri"]
        assert row["concept_uri"] in (set(matched.mode()) if row["status"] == "matched" else {None})
        texts = rows["text"].value_counts()
        assert [one["mentions"] for one in row["spellings"]] == sorted(texts, reverse=True)[:10]
        leader = rows.loc[rows["text_key"] == row["leader_key"]]
        assert row["representative"].lower() == leader["text"].iloc[0]
        assert row["representative"] == row["spellings"][0]["spelling"]
        written = leader["raw"].str.strip()
        plain = written[written.str.lower() == leader["text"]]
        if len(plain):
            assert row["representative"] in set(plain.mode())
    assert {"English", "Microsoft Word", "TikTok reels"} <= set(clusters["representative"])
    page = (clustered.root / "report.html").read_text(encoding="utf-8")
    assert NO_CLUSTERS not in page
    assert "TikTok reels" in page


def test_the_nearest_group_is_the_links_else_what_candidates_vote_for(spark: SparkSession) -> None:
    concepts = spark.createDataFrame(
        [
            (uri, uri[0] if uri != "x" else None, uri[0].upper())
            for uri in ("a1", "a2", "b1", "b2", "c1", "d", "e", "f", "x")
        ],
        "concept_uri string, group_uri string, group_label string",
    )
    links = spark.createDataFrame(
        [("decided", "z", "Z"), *((text, None, None) for text in ("most", "near", "unknown", "scattered", "nothing"))],
        "text_key string, group_uri string, group_label string",
    )
    near = {
        "decided": [("a1", 0.9)],
        "most": [("b1", 0.9), ("a1", 0.8), ("a2", 0.8), ("x", 0.95)],
        "near": [("a1", 0.9), ("b1", 0.5), ("b2", 0.5)],
        "unknown": [("b1", 0.9), ("a1", 0.9), ("a2", None)],
        "scattered": [(uri, 0.9) for uri in ("a1", "b1", "c1", "d", "e", "f")],
        "nothing": [],
    }
    rows = "text_key string, candidates array<struct<concept_uri string, cosine float>>"
    found = nearest_groups(links, spark.createDataFrame(list(near.items()), rows), concepts).collect()
    assert {row["text_key"]: (row["group_uri"], row["group_label"]) for row in found} == {
        "decided": ("z", "Z"),
        "most": ("a", "A"),
        "near": ("a", "A"),
        "unknown": ("a", "A"),
    }


@pytest.mark.long
def test_an_increment_killed_midway_keeps_ids_and_tells_every_change_once(
    clustered: Run,
    job: Callable[..., Run],
    changed_records: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(copytree(clustered.root, tmp_path / "continued"))
    before = read(root, "cluster_members").set_index("text_key")["cluster_id"]
    counts = read(root, "clusters").set_index("cluster_id")["mentions"]
    sync = Tables.sync

    def pulled(self: Tables, table: Table, rows: DataFrame, built_from: dict[str, str]) -> None:
        if table is CLUSTER_MEMBERS:
            raise RuntimeError("pulled plug")
        sync(self, table, rows, built_from)

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "sync", pulled)
        with pytest.raises(RuntimeError, match="pulled plug"):
            job(root, changed_records, CLUSTERS_ON)
    assert len(read(root, "cluster_history")) > len(before.unique())  # written, and not true yet
    job(root, changed_records, CLUSTERS_ON)
    after = check(root).set_index("text_key")["cluster_id"]
    both = before.index.intersection(after.index)
    assert (before[both] == after[both]).mean() > 0.98
    clusters = read(root, "clusters").set_index("cluster_id")
    old = clusters.index.intersection(counts.index)
    assert (clusters.loc[old, "mentions_before"] == counts[old]).all()
    assert clusters.loc[clusters.index.difference(old), "mentions_before"].isna().all()
    assert job(root, changed_records, CLUSTERS_ON).summary.unchanged_since


@pytest.mark.long
def test_clusters_turned_off_and_on_again_are_what_they_were(
    clustered: Run, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    root = Path(copytree(clustered.root, tmp_path / "continued"))
    off = job(root, records[:200])
    assert off.summary.ids.clusters_id == "none"
    assert read(root, "normalised_skills")["cluster_id"].isna().all()
    assert NO_CLUSTERS in (root / "report.html").read_text(encoding="utf-8")
    again = job(root, records[:200], CLUSTERS_ON)
    assert stage_rows(again, "pairs") == 0
    assert NO_CLUSTERS not in (root / "report.html").read_text(encoding="utf-8")
    check(root)
    for table in ("cluster_members", "cluster_history", "normalised_skills"):
        one, other = (read(of, table).drop(columns="run_id") for of in (root, clustered.root))
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.long
def test_another_threshold_splits_and_merges_without_comparing_again(
    clustered: Run, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    root = Path(copytree(clustered.root, tmp_path / "continued"))
    apart = job(root, records[:200], CLUSTERS_ON, "clusters.threshold=1")
    assert stage_rows(apart, "pairs") == 0
    members = read(root, "cluster_members")
    assert (members["text_key"] == members["leader_key"]).all()
    assert "split" in set(read(root, "cluster_history")["event"])
    job(root, records[:200], CLUSTERS_ON)
    assert "merged" in set(read(root, "cluster_history")["event"])
    check(root)


@pytest.mark.long
def test_a_forgotten_text_leaves_the_clusters_and_may_come_back(
    spark: SparkSession, clustered: Run, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    root = Path(copytree(clustered.root, tmp_path / "continued"))
    planted = ["secret-1,TikTok reelz zweckentfremdet,Zweckentfremdet\n", "secret-2,zweckentfremdett,tikTOK reels\n"]
    job(root, [*records[:200], *planted], CLUSTERS_ON)
    assert {path.parent.name for path in holders(root, "weckentfremdet")} >= {"clusters"}
    asked = spark.createDataFrame([("test", "secret-1"), ("test", "secret-2")], IDS)
    forget(Tables(spark, str(root)), asked)
    assert holders(root, "weckentfremdet") == []
    assert {path.parent.name for path in (root / "staging").glob("*")} == set()
    job(root, records[:200], CLUSTERS_ON)
    ended, tables = set(check(root)["cluster_id"]), Tables(spark, str(root))
    unknown = read(root, "clusters").query("mentions_before.isna()")["representative"]
    assert "TikTok reels" in set(unknown)
    told = collect_report(tables, last_made(tables), ReportConfig(min_records=1, top=1_000)).emerging or ()
    assert not {row.representative for row in told} & set(unknown)
    job(root, [*records[:200], "other-1,zweckentfremdet\n"], CLUSTERS_ON)
    assert ended < set(check(root)["cluster_id"])
    assert len(read(root, MENTIONS.name)) > 0
    assert read(root, RUNS.name)["outcome"].eq("succeeded").all()
