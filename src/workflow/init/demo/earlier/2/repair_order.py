from odoo import api, fields, models
from odoo.exceptions import UserError

# Where each button may start from.
ALLOWED_FROM = {
    "repairing": ("received",),
    "ready": ("repairing",),
    "delivered": ("ready",),
    "cancelled": ("received", "repairing"),
    "received": ("cancelled",),
}


class TallerRepairOrder(models.Model):
    _name = "taller.repair.order"
    _description = "Repair Order"
    _order = "received_on desc, id desc"
    _check_company_auto = True

    name = fields.Char("Reference", default="/", copy=False, readonly=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner", "Customer", required=True, index=True, check_company=True
    )
    user_id = fields.Many2one("res.users", "Technician", check_company=True)
    device = fields.Char(required=True)
    serial_number = fields.Char(index="btree_not_null")
    problem = fields.Text(required=True)
    work_done = fields.Text()
    amount = fields.Monetary("Price")
    received_on = fields.Date(required=True, default=fields.Date.context_today)
    promised_on = fields.Date()
    delivered_on = fields.Date(copy=False, readonly=True)
    is_late = fields.Boolean(compute="_compute_is_late", search="_search_is_late")
    state = fields.Selection(
        [
            ("received", "Received"),
            ("repairing", "In Repair"),
            ("ready", "Ready"),
            ("delivered", "Delivered"),
            ("cancelled", "Cancelled"),
        ],
        default="received",
        required=True,
        copy=False,
        readonly=True,
        index=True,
    )

    _name_unique = models.Constraint(
        "UNIQUE (company_id, name)",
        "A repair order's reference is unique in its company.",
    )
    _promised_after_received = models.Constraint(
        "CHECK (promised_on IS NULL OR promised_on >= received_on)",
        "A repair cannot be promised for a day before its reception.",
    )

    @api.depends("promised_on", "state")
    @api.depends_context("tz")
    def _compute_is_late(self):
        today = fields.Date.context_today(self)
        for order in self:
            order.is_late = bool(
                order.promised_on
                and order.promised_on < today
                and order.state in ("received", "repairing")
            )

    def _search_is_late(self, operator, value):
        if operator != "in":
            return NotImplemented
        late = [
            ("promised_on", "<", fields.Date.context_today(self)),
            ("state", "in", ("received", "repairing")),
        ]
        on_time = [
            "|",
            "|",
            ("promised_on", "=", False),
            ("promised_on", ">=", fields.Date.context_today(self)),
            ("state", "not in", ("received", "repairing")),
        ]
        domains = [late if wanted else on_time for wanted in set(map(bool, value))]
        return fields.Domain.OR(domains)

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("name", "/") == "/":
                company = vals.get("company_id") or self.env.company.id
                sequence = self.env["ir.sequence"].with_company(company)
                vals["name"] = sequence.next_by_code("taller.repair.order") or "/"
        return super().create(vals_list)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_started(self):
        if any(order.state not in ("received", "cancelled") for order in self):
            raise UserError(
                self.env._("Only received or cancelled repair orders can be deleted.")
            )

    def _move_to(self, state):
        for order in self:
            if order.state not in ALLOWED_FROM[state]:
                raise UserError(
                    self.env._(
                        "%(order)s cannot become %(wanted)s: it is %(present)s.",
                        order=order.name,
                        wanted=order._state_label(state),
                        present=order._state_label(order.state),
                    )
                )
        self.state = state

    def _state_label(self, state):
        return dict(self._fields["state"]._description_selection(self.env))[state]

    def action_start(self):
        self._move_to("repairing")

    def action_ready(self):
        self._move_to("ready")

    def action_deliver(self):
        self._move_to("delivered")
        self.delivered_on = fields.Date.context_today(self)

    def action_cancel(self):
        self._move_to("cancelled")

    def action_reset(self):
        self._move_to("received")
