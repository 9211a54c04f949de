"""How a task is seen to have ended: looked at in time, sooner when something hints at it, given up at last."""
