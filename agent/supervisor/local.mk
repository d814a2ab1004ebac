# agent/supervisor
