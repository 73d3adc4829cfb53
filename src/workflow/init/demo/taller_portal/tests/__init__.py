from . import test_taller_portal
