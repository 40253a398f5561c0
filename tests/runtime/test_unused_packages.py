import logging

import pytest

from runtime import unused_packages


def test_a_hidden_package_cannot_be_imported_and_no_warning_of_that_is_logged(caplog):
    with unused_packages.hidden("wave", also_imported=True), pytest.raises(ImportError):
        logging.getLogger("library").warning("no wave")
        import wave
    import wave

    assert wave.open
    assert not caplog.records
    logging.getLogger("library").warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]
