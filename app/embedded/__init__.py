"""PostgreSQL and Redis for a bare machine, started and stopped by us, reachable only over private unix sockets.

Nothing here runs in a production install that sets EASEL_DATABASE_URL and EASEL_REDIS_URL.
"""
