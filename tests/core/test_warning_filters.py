import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from featx.core.warning_filters import IgnoredWarnings


def warn(text, category=UserWarning, module="other.part"):
    warnings.warn_explicit(text, category, "file.py", 1, module)


def raised(text, *where):
    """Return whether a warning raises, as it does outside of the context."""
    try:
        warn(text, *where)
    except Warning:
        return True
    return False


@pytest.fixture(autouse=True)
def errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = [*warnings.filters]
        yield
        assert [*warnings.filters] == before


def test_only_what_is_named_is_ignored():
    ignored = IgnoredWarnings(UserWarning, message="one|two", module=r"other\.")
    with ignored:
        assert not raised("one")
        assert not raised("two and more")
        assert raised("three")
        assert raised("one", RuntimeWarning)
        assert raised("one", UserWarning, "another")
    assert raised("one")


def test_several_categories_and_all_modules():
    with IgnoredWarnings(UserWarning, RuntimeWarning):
        assert not raised("a")
        assert not raised("a", RuntimeWarning, "")
        assert raised("a", DeprecationWarning)


def test_entered_several_times():
    ignored = IgnoredWarnings(UserWarning)
    with ignored:
        with ignored:
            assert not raised("a")
        assert not raised("a")
    assert raised("a")


def test_an_error_inside():
    with pytest.raises(KeyError), IgnoredWarnings(UserWarning):
        raise KeyError


def test_other_threads_are_not_concerned():
    ignored, both = IgnoredWarnings(UserWarning), Barrier(2)

    def inside():
        with ignored:
            both.wait()
            found = raised("a")
            both.wait()
        return found

    def outside():
        both.wait()
        found = raised("a")
        both.wait()
        return found

    with ThreadPoolExecutor(2) as pool:
        threads = pool.submit(inside), pool.submit(outside)
    assert [thread.result() for thread in threads] == [False, True]


def test_threads_that_leave_in_any_order():
    ignored, both = IgnoredWarnings(UserWarning), Barrier(2)

    def first():
        with ignored:
            both.wait()
        both.wait()

    def second():
        with ignored:
            both.wait()
            both.wait()  # the first thread has exited
            return raised("a")

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        assert pool.submit(second).result() is False


def test_the_host_replaces_its_filters_meanwhile():
    ignored = IgnoredWarnings(UserWarning)
    host = warnings.catch_warnings()
    ignored.__enter__()
    host.__enter__()  # copies the filters, including this one
    ignored.__exit__()
    assert raised("a")
    host.__exit__()
    assert raised("a")
    host = warnings.catch_warnings()
    host.__enter__()
    ignored.__enter__()
    host.__exit__()  # restores filters without this one
    with ignored:
        assert not raised("a")
    ignored.__exit__()


def test_the_host_is_shown_no_warning_again(recwarn):
    def told():
        warnings.warn("told once", stacklevel=1)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            told()
            with IgnoredWarnings(UserWarning, module="nothing"):
                pass
    assert [str(one.message) for one in shown] == ["told once"]


def test_filters_can_be_sent_to_other_processes():
    with IgnoredWarnings(UserWarning):
        sent = pickle.loads(pickle.dumps(warnings.filters))
    with warnings.catch_warnings():
        warnings.filters = sent
        assert raised("a")
