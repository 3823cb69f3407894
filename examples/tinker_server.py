"""A Tinker server on this machine's CPU: SkyRL 0.3.0 with its JAX backend.

    python examples/tinker_server.py MODEL --folder FOLDER [--port 8471]

MODEL is a folder with a Llama or Qwen3 model and its tokenizer; clients name it by the same string.
FOLDER keeps what the server remembers: its data base, saved states, compiled programs. It listens
on 127.0.0.1 alone; SIGTERM ends it together with its engine.

Installing: pip install "skyrl[tinker,jax]==0.3.0" "tinker==0.24.1". SkyRL itself starts its engine
by `uv run`, and its types do not load under Python 3.11; both are put right here.
"""

import argparse
import json
import os
import sys
import typing
from pathlib import Path

import typing_extensions

typing.TypedDict = typing_extensions.TypedDict  # pydantic takes no other before Python 3.12


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--port", type=int, default=8471)
    parser.add_argument("--rows", type=int, default=8, help="rows computed at a time")
    parser.add_argument("--adapters", type=int, default=8, help="training clients at a time")
    parser.add_argument("--devices", type=int, default=1, help="virtual devices to shard over")
    parser.add_argument("--rank", type=int, default=8, help="largest LoRA rank")
    return parser.parse_args()


def serve(given):
    import uvicorn
    from skyrl.tinker import api
    from skyrl.tinker.config import EngineConfig, config_to_argv

    given.folder.mkdir(parents=True, exist_ok=True)
    folder = given.folder.resolve()
    # Compiled once for each shape; a second start finds the programs here.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={given.devices}"
    api._build_uv_run_cmd_engine = lambda parent, config: [
        sys.executable,
        __file__,
        "engine",
        *config_to_argv(config),
    ]
    backend = {
        "max_lora_adapters": given.adapters,
        "max_lora_rank": given.rank,
        "train_micro_batch_size": given.rows,  # fixed shapes: others would be compiled anew
        "sample_max_num_sequences": given.rows,
        "fully_sharded_data_parallel_size": given.devices,
    }
    api.app.state.engine_config = EngineConfig.model_validate(
        {
            "base_model": given.model,
            "backend": "jax",
            "backend_config": backend,
            "database_url": f"sqlite:///{folder / 'tinker.db'}",
            "checkpoints_base": str(folder / "states"),
        }
    )
    print(json.dumps({"url": f"http://127.0.0.1:{given.port}", "model": given.model}), flush=True)
    uvicorn.run(api.app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:2] == ["engine"]:
        del sys.argv[1]
        from skyrl.tinker.engine import main

        main()
    else:
        serve(arguments())
