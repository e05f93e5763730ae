import os

SECRET_KEY = os.environ["JWT_SECRET"]
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
