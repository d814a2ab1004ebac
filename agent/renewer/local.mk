# agent/renewer
