from odoo.modules import get_manifest
from odoo.tests import HttpCase, tagged


@tagged("post_install", "-at_install")
class TestTallerPortal(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.order = cls.env["taller.repair.order"].create(
            {
                "partner_id": cls.env["res.partner"].create({"name": "Lucía Gómez"}).id,
                "device": "Hair clipper",
                "serial_number": "A-1",
                "problem": "It does not start",
            }
        )

    def test_the_status_is_json(self):
        before = self.url_open("/taller/estado").json()
        self.assertEqual(before["version"], get_manifest("taller_portal")["version"])
        self.order.action_cancel()
        after = self.url_open("/taller/estado").json()
        self.assertEqual(after["orders"], before["orders"] - 1)

    def test_a_repair_is_shown_to_who_knows_reference_and_serial_number(self):
        query = f"/taller?reference={self.order.name}&serial_number="
        self.assertIn("Hair clipper", self.url_open(f"{query}A-1").text)
        self.assertNotIn("Hair clipper", self.url_open(f"{query}B-2").text)
        self.assertNotIn("Hair clipper", self.url_open(query).text)

    def test_the_page_opens_without_an_account(self):
        self.assertEqual(self.url_open("/taller").status_code, 200)
