import itertools
import threading
from functools import partial

import pytest

from rtaffect.core.clock import ManualClock, monotonic
from rtaffect.core.streams import ClockOffset, Tick
from rtaffect.sources.event_queue import EventQueue


def test_arrivals_never_go_back_whatever_the_threads_do() -> None:
    queue = EventQueue(monotonic, tick_s=1.0)
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        for i in range(2000):
            queue.put(partial(ClockOffset, name, float(i)))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    events = list(queue.events())
    assert len(events) == 8000
    assert all(a.t_received <= b.t_received for a, b in itertools.pairwise(events))
    for name in "abcd":
        mine = [e.offset_s for e in events if isinstance(e, ClockOffset) and e.modality == name]
        assert mine == [float(i) for i in range(2000)]


def test_a_clock_that_steps_back_is_held() -> None:
    clock = ManualClock(10.0)
    queue = EventQueue(clock, tick_s=1.0)
    queue.put(Tick)
    clock.now = 9.0
    queue.put(Tick)
    queue.close()
    assert list(queue.events()) == [Tick(10.0), Tick(10.0)]


def test_an_error_in_a_thread_reaches_the_reader() -> None:
    queue = EventQueue(monotonic, tick_s=1.0)

    def fail() -> None:
        msg = "no power"
        raise ValueError(msg)

    queue.run(fail, name="failing")
    with pytest.raises(ValueError, match="no power"):
        list(queue.events())
    queue.close()


def test_after_close_nothing_is_taken_and_events_end() -> None:
    queue = EventQueue(ManualClock(), tick_s=1.0)
    queue.put(Tick)
    queue.close()
    queue.put(Tick)
    queue.close()
    assert list(queue.events()) == [Tick(0.0)]
    assert list(queue.events()) == []


def test_ticks_lie_on_the_multiples_of_their_distance() -> None:
    queue = EventQueue(monotonic, tick_s=0.01)
    queue.run(queue.tick, name="ticks")
    ticks = list(itertools.islice(queue.events(), 10))
    queue.close()
    numbers = [int(tick.t_received / 0.01) for tick in ticks]
    assert all(a <= b for a, b in itertools.pairwise(numbers))
    assert len(set(numbers)) >= 8


def test_a_signal_that_comes_while_it_is_being_closed_may_close_it_too() -> None:
    queue = EventQueue(ManualClock(), tick_s=1.0)

    def closing() -> None:
        with queue._lock:  # where the first Ctrl-C was when the second one came
            queue.close()

    thread = threading.Thread(target=closing, daemon=True)
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive()
