from datetime import timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestRepairOrder(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner = cls.env["res.partner"].create({"name": "Lucía Gómez"})
        cls.today = fields.Date.today()

    def _order(self, **values):
        return self.env["taller.repair.order"].create(
            {
                "partner_id": self.partner.id,
                "device": "Hair clipper",
                "problem": "It does not start",
                **values,
            }
        )

    def test_orders_are_numbered(self):
        first, second = self._order(), self._order()
        self.assertTrue(first.name.startswith(f"TR/{self.today.year}/"))
        self.assertNotEqual(first.name, second.name)
        self.assertNotIn(first.copy().name, (first.name, second.name))

    def test_an_order_goes_from_reception_to_delivery(self):
        order = self._order()
        order.action_start()
        order.action_ready()
        order.action_deliver()
        self.assertEqual(order.state, "delivered")
        self.assertEqual(order.delivered_on, self.today)

    def test_no_step_is_left_out(self):
        order = self._order()
        with self.assertRaises(UserError):
            order.action_deliver()
        order.action_start()
        with self.assertRaises(UserError):
            order.unlink()

    def test_only_open_orders_are_late(self):
        yesterday = self.today - timedelta(days=1)
        late = self._order(received_on=yesterday, promised_on=yesterday)
        on_time = self._order(promised_on=self.today)
        self.assertTrue(late.is_late)
        self.assertFalse(on_time.is_late)
        orders = late | on_time
        domain = [("id", "in", orders.ids)]
        self.assertEqual(orders.search([("is_late", "=", True), *domain]), late)
        self.assertEqual(orders.search([("is_late", "=", False), *domain]), on_time)
        late.action_cancel()
        self.assertFalse(late.is_late)

    @mute_logger("odoo.sql_db")
    def test_nothing_is_promised_for_before_its_reception(self):
        with self.assertRaises(IntegrityError):
            self._order(promised_on=self.today - timedelta(days=1))

    def test_old_deliveries_are_archived(self):
        old, recent, waiting = self._order(), self._order(), self._order()
        (old | recent).write({"state": "delivered", "delivered_on": self.today})
        old.delivered_on = self.today - timedelta(days=400)
        self.env["taller.repair.order"]._cron_archive_delivered()
        self.assertFalse(old.active)
        self.assertTrue(recent.active)
        self.assertTrue(waiting.active)
