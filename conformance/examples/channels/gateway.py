import os

import uvicorn

if __name__ == "__main__":
    uvicorn.run(
        "asgi:application",
        port=int(os.environ.get("PORT", "8000")),
        ws_ping_interval=int(os.environ.get("PING_INTERVAL_MS", "20000")) / 1000,
        ws_ping_timeout=int(os.environ.get("PONG_TIMEOUT_MS", "20000")) / 1000,
        ws_max_size=64 * 1024,
    )
