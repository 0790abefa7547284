"""The ten feared defects as a register, and every source that leads come from."""

from boxlift.risks.lead import LeadKind, LeadState, LeadStatus, LeadView, lead_view
from boxlift.risks.model import Detector, Risk, RiskState, Stage
from boxlift.risks.register import load_register
from boxlift.risks.view import Observed, RiskStatus, RiskView, Sign, risk_view

__all__ = [
    "Detector",
    "LeadKind",
    "LeadState",
    "LeadStatus",
    "LeadView",
    "Observed",
    "Risk",
    "RiskState",
    "RiskStatus",
    "RiskView",
    "Sign",
    "Stage",
    "lead_view",
    "load_register",
    "risk_view",
]
