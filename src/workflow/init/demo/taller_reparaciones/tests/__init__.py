from . import test_repair_order
