{
    "name": "Workshop Repairs",
    "summary": "Follow what customers bring to the workshop, from reception to delivery",
    "version": "19.0.1.0.0",
    "category": "Services",
    "author": "Blink",
    "license": "LGPL-3",
    "depends": ["base", "web"],
    "data": [
        "security/taller_security.xml",
        "security/ir.model.access.csv",
        "views/repair_order_views.xml",
        "views/taller_menus.xml",
    ],
    "application": True,
}
