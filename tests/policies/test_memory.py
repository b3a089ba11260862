import subprocess
import sys
import textwrap

import pytest


def _page_faults(setup: str) -> int:
    """Faults while a tensor of 64 MiB is written and freed twenty times, in a process of its own."""
    script = f"""
        import resource
        import torch
        from cellwright_policies.memory import keep_freed_memory
        torch.set_num_threads(1)
        {setup}
        for _ in range(20):
            torch.ones(1 << 24)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.ones(1 << 24)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    usual = _page_faults("pass")
    if usual < 100:
        pytest.skip("this C library keeps large blocks anyway")
    assert _page_faults("assert keep_freed_memory()") < usual / 10
