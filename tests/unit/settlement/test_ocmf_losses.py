"""What a meter says it lost in the cable is shown, and changes no bill."""

import pytest

from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import cable_loss_wh, energy_wh


def record(begin, end, unit="kWh"):
    """The text of a record of 2 units, with what is given beside its registers."""
    readings = ",".join(
        f'{{"TX":"{reason}","RV":{value},"RI":"1-b:1.8.0","RU":"{unit}","ST":"G"{more}}}'
        for reason, value, more in (("B", "5.000", begin), ("E", "7.000", end))
    )
    return parse_record(f'OCMF|{{"PG":"T1","ID":"A","RD":[{readings}]}}|{{"SD":"00"}}')


@pytest.mark.parametrize(
    ("begin", "end", "lost_wh"),
    [
        ("", "", None),
        (',"CL":0', ',"CL":0', 0),
        (',"CL":0.000', ',"CL":0.0129', 12),
        ("", ',"CL":"0.013"', 13),
        (',"CL":0.010', ',"CL":0.013', 3),
        (',"CL":0.9', ',"CL":0.1', 0),
    ],
)
def test_is_the_difference_of_the_two_ends(begin, end, lost_wh):
    assert cable_loss_wh(record(begin, end)) == lost_wh


def test_is_in_the_unit_of_the_register():
    assert cable_loss_wh(record("", ',"CL":1.9', unit="Wh")) == 1


@pytest.mark.parametrize("told", [',"CL":-1', ',"CL":null', ',"CL":"much"', ',"CL":[]'])
def test_that_is_no_number_is_none(told):
    assert cable_loss_wh(record("", told)) is None


@pytest.mark.parametrize("told", ["", ',"CL":0.5', ',"CL":"nonsense"', ',"CL":1,"CL":2'])
def test_changes_nothing_of_the_energy(told):
    assert energy_wh(record("", told)) == 2_000
