{
    "name": "Workshop Status Page",
    "summary": "Customers look up their repair without an account",
    "version": "19.0.1.0.0",
    "category": "Services",
    "author": "Blink",
    "license": "LGPL-3",
    "depends": ["taller_reparaciones", "web"],
    "data": ["views/taller_portal_templates.xml"],
}
