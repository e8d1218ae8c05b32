"""Families of light: surface brightness as a function of the plane, batched over components on tensors.

Each family is a function ``brightness(u, v, p)``: ``u`` and ``v`` (N, H, W) are arcsec along and across the
component's major axis, ``p`` its parameters, (N, 1, 1) each. Sérsic light integrates to 1 over the plane; the
others are shapes without a unit, which the renderer scales to their flux.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ANALYTIC", "FAMILIES", "edge_on", "knotted_ring", "sersic", "spiral", "tail"]

Parameters = dict[str, Tensor]


def sersic(u: Tensor, v: Tensor, p: Parameters) -> Tensor:
    """Sérsic light exp(-b (r/R_e)^(1/n)) with unit flux, 1/arcsec²; r² = u² + v²/q² (Graham & Driver 2005).

    Parameters: ``radius`` (half-light, major axis), ``q``, ``index``, and ``soft`` (arcsec): r² + soft² takes the
    place of r², so that a coarse grid meets no cusp; the light that this takes, all that is inside r = soft,
    is made up for. b follows Ciotti & Bertin (1999), whose series is exact to 1e-6 for n above 0.5.
    """
    n = p["index"]
    b = 2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2) + 131 / (1148175 * n**3)
    log_total = math.log(2 * math.pi) + 2 * p["radius"].log() + p["q"].log()
    log_total = log_total + n.log() + torch.lgamma(2 * n) - 2 * n * b.log()
    soft = p["soft"]
    log_total = log_total + torch.special.gammaincc(2 * n, b * (soft / p["radius"]) ** (1 / n)).log()
    r2 = u**2 + (v / p["q"]) ** 2 + soft**2
    reduced = (r2 / p["radius"] ** 2).clamp_min(1e-12).log_().mul_(1 / (2 * n)).exp_()
    return reduced.mul_(-b).sub_(log_total).exp_()


def spiral(u: Tensor, v: Tensor, p: Parameters) -> Tensor:
    """Logarithmic spiral arms on an exponential disc, with patches.

    Parameters: ``scale`` (of the disc), ``q`` (inclination), ``arms`` (number), ``pitch`` (radians),
    ``phase``, ``sharpness``, ``hole`` (radius inside which the arms end), ``patch`` (0 to 1).
    """
    v = v / p["q"]
    r = (u**2 + v**2 + 1e-6).sqrt()
    turn = torch.atan2(v, u) - (r / p["scale"]).log() / p["pitch"].tan()
    arms = (p["sharpness"] * ((p["arms"] * turn + p["phase"]).cos() - 1)).exp()
    patches = 1 + p["patch"] * (5 * turn + 3 * p["phase"]).sin() * (9 * r / p["scale"] + p["phase"]).sin()
    inside = 1 - (-((r / p["hole"]) ** 4)).exp()
    return arms * patches * inside * (-r / p["scale"]).exp()


def knotted_ring(u: Tensor, v: Tensor, p: Parameters) -> Tensor:
    """A ring of Gaussian section whose brightness goes round unevenly.

    Parameters: ``ring`` (radius), ``width`` (Gaussian σ), ``q``, ``lopsided``, ``double``, ``knots`` (amplitudes
    of 1, 2 and 7 waves around) and ``phase``.
    """
    v = v / p["q"]
    r = (u**2 + v**2).sqrt()
    angle = torch.atan2(v, u) + p["phase"]
    around = 1 + p["lopsided"] * angle.cos() + p["double"] * (2 * angle + p["phase"]).cos()
    around = around + p["knots"] * (7 * angle + 2 * p["phase"]).cos() * (2 * angle).sin()
    return around.clamp_min(0.0) * (-0.5 * ((r - p["ring"]) / p["width"]) ** 2).exp()


def edge_on(u: Tensor, v: Tensor, p: Parameters) -> Tensor:
    """A disc seen from the side: exp(-|u|/scale) sech²(v/height), with a warp and a dust lane in its midplane.

    Parameters: ``scale``, ``height``, ``dust`` (fraction taken from the midplane), ``warp`` (bend of the
    midplane at two scale lengths, arcsec).
    """
    v = v - p["warp"] * (u / (2 * p["scale"])).clamp(-2.0, 2.0) ** 3
    layer = 1 / torch.cosh((v / p["height"]).clamp(-20.0, 20.0)) ** 2
    lane = 1 - p["dust"] * (-0.5 * (v / (0.35 * p["height"])) ** 2).exp()
    return (-u.abs() / p["scale"]).exp() * layer * lane


def tail(u: Tensor, v: Tensor, p: Parameters) -> Tensor:
    """A tidal tail: a piece of a logarithmic spiral about the origin that widens and fades outwards.

    Parameters: ``start`` (radius at angle 0), ``opening`` (d ln r / d angle), ``length`` (radians), ``width``
    (Gaussian σ at the start), ``hand`` (+1 or -1: the sense of winding).
    """
    r = (u**2 + v**2).sqrt()
    angle = torch.remainder(torch.atan2(p["hand"] * v, u) + 0.5, 2 * math.pi) - 0.5
    middle = p["start"] * (p["opening"] * angle).exp()
    width = p["width"] * (1 + angle.clamp_min(0.0) / p["length"])
    fade = (
        torch.sigmoid(angle / 0.12)
        * torch.sigmoid((p["length"] - angle) / 0.2)
        * (-angle / p["length"]).exp()
    )
    return fade * (-0.5 * ((r - middle) / width) ** 2).exp()


FAMILIES: dict[str, Callable[[Tensor, Tensor, Parameters], Tensor]] = {
    "sersic": sersic,
    "spiral": spiral,
    "ring": knotted_ring,
    "edge_on": edge_on,
    "tail": tail,
}

ANALYTIC = frozenset({"sersic"})  # families that carry their own normalisation
