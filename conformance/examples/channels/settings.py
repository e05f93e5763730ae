import os

SECRET_KEY = os.environ["JWT_SECRET"]
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        # By default 100 messages wait for a consumer, and any further one is dropped without a word.
        "CONFIG": {"capacity": 10_000},
    }
}
