"""What an attempt offers for gas."""

from hypothesis import given
from hypothesis import strategies as st

from settlement.chain.gateway import FeeQuote
from settlement.chain.sending.fees import FeePolicy, Fees

WEI = st.integers(0, 10**13)
QUOTES = st.builds(FeeQuote, WEI, WEI)


class TestFirst:
    def test_costs_nothing_where_gas_is_free(self):
        assert FeePolicy().first(FeeQuote(0, 0)) == Fees(0, 0)

    def test_bears_a_base_fee_that_doubles(self):
        assert FeePolicy().first(FeeQuote(10, 3)) == Fees(23, 3)

    @given(QUOTES, WEI)
    def test_keeps_to_the_cap_and_tips_no_more_than_it_pays(self, quote, cap_wei):
        fees = FeePolicy(max_fee_cap_wei=cap_wei).first(quote)
        assert 0 <= fees.tip_wei <= fees.max_fee_wei <= cap_wei


class TestBumped:
    def test_rounds_up(self):
        assert FeePolicy().bumped(Fees(15, 5), FeeQuote(0, 0)) == Fees(17, 6)

    def test_is_more_even_of_nothing(self):
        assert FeePolicy().bumped(Fees(0, 0), FeeQuote(0, 0)) == Fees(1, 1)

    @given(QUOTES, QUOTES, st.integers(10, 100))
    def test_is_what_nodes_take_for_a_replacement_and_what_is_asked_now(self, then, now, percent):
        policy = FeePolicy(bump_percent=percent)
        old = policy.first(then)
        new = policy.bumped(old, now)
        assert new.max_fee_wei > old.max_fee_wei
        assert new.tip_wei > old.tip_wei
        assert 100 * new.max_fee_wei >= (100 + percent) * old.max_fee_wei
        assert 100 * new.tip_wei >= (100 + percent) * old.tip_wei
        assert new.tip_wei >= now.tip_wei
        assert new.max_fee_wei >= 2 * now.base_fee_wei + new.tip_wei
