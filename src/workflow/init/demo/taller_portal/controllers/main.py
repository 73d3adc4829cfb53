from odoo import http
from odoo.http import request
from odoo.modules import get_manifest

OPEN_STATES = ("received", "repairing", "ready")


class TallerPortal(http.Controller):
    @http.route("/taller/estado", type="http", auth="public", methods=["GET"])
    def status(self):
        """Tell monitoring which version runs and how much work there is."""
        orders = request.env["taller.repair.order"].sudo()
        return request.make_json_response(
            {
                "version": get_manifest("taller_portal")["version"],
                "orders": orders.search_count([("state", "in", OPEN_STATES)]),
            },
            headers=[("Cache-Control", "no-store")],
        )

    @http.route("/taller", type="http", auth="public", methods=["GET"])
    def page(self, reference="", serial_number="", **_unused):
        """Show a repair to whoever knows its reference and the device's serial number."""
        reference, serial_number = reference.strip(), serial_number.strip()
        order = request.env["taller.repair.order"].sudo()
        if reference and serial_number:
            order = order.search(
                [("name", "=", reference), ("serial_number", "=", serial_number)],
                limit=1,
            )
        return request.render(
            "taller_portal.page",
            {
                "order": order,
                "state": order._state_label(order.state) if order else "",
                "asked": bool(reference or serial_number),
                "reference": reference,
                "serial_number": serial_number,
            },
        )
