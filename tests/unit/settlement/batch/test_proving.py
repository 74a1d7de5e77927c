"""All proofs of a tree, made in one pass, are the proofs made one by one."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from settlement.engine.batch.proving import proofs
from settlement.engine.batch.running import settle_batch, span_of
from settlement.trading.tree import check_proof, merkle_proof, merkle_proofs, merkle_root
from tests.unit.settlement.batch.test_running import sunny
from tests.unit.settlement.batch.villages import batch


@given(count=st.integers(0, 70))
def test_proofs_of_all_leaves_are_those_of_each(count):
    leaves = [keccak(bytes([place])) for place in range(count)]
    found = merkle_proofs(leaves)
    assert found == tuple(merkle_proof(leaves, place) for place in range(count))
    for leaf, proof in zip(leaves, found, strict=True):
        check_proof(merkle_root(leaves), leaf, proof)


def test_every_leaf_of_a_run_leads_to_its_root():
    village = batch(*sunny())
    for run in settle_batch(village, span_of(village)):
        proven = list(proofs(run))
        assert [one.leaf for one in proven] == list(run.settlement.leaves)
        for one in proven:
            check_proof(run.settlement.root, one.leaf.hash(), one.siblings)
