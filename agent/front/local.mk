# agent/front
