"""The table of events of SzCORE: its columns, its event types, the HED tag of each (formats.md, sections 6 and 12).

Types are those of the ILAE 2017 classification, their names those of the public converters' `events.json`; the tags
are spelt out here, since that file misspells two of its keys (`sz_gen:`, `sz_uo:`), so that generalised seizures and
those of unknown onset get no tag there.
"""

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
UNKNOWN = "n/a"
BACKGROUND = "bckg"
_FOCAL = {
    "sz_foc_a": "Aware-focal-onset-epileptic-seizure",
    "sz_foc_ia": "Impaired-awareness-focal-onset-epileptic-seizure, Episode-consciousness-affected",
    "sz_foc_ua": "Awareness-unknown-focal-onset-epileptic-seizure",
}
_FOCAL_SIGNS = {
    "m": "Motor-seizure",
    "m_automatisms": "Automatism-motor-seizure",
    "m_atonic": "Atonic-motor-seizure",
    "m_clonic": "Clonic-motor-seizure",
    "m_spasms": "Epileptic-spasm-episode",
    "m_hyperkinetic": "Hyperkinetic-motor-seizure",
    "m_myoclonic": "Myoclonic-motor-seizure",
    "m_tonic": "Tonic-motor-seizure",
    "nm": "Nonmotor-seizure",
    "nm_autonomic": "Autonomic-nonmotor-seizure",
    "nm_behavior": "Behavior-arrest-nonmotor-seizure",
    "nm_cognitive": "Cognitive-nonmotor-seizure",
    "nm_emotional": "Emotional-nonmotor-seizure",
    "nm_sensory": "Sensory-nonmotor-seizure",
    "um": "",
}
_GENERALISED_SIGNS = {
    "": "",
    "m": "Motor-seizure",
    "m_tonicClonic": "Tonic-clonic-motor-seizure",
    "m_clonic": "Clonic-motor-seizure",
    "m_tonic": "Tonic-motor-seizure",
    "m_myoTC": "Myoclonic-tonic-clonic-motor-seizure",
    "m_myoAtonic": "Myoclonic-atonic-motor-seizure",
    "m_atonic": "Atonic-motor-seizure",
    "m_spasms": "Epileptic-spasm-episode",
    "nm": "Absence-seizure",
    "nm_typical": "Typical-absence-seizure",
    "nm_atypical": "Atypical-absence-seizure",
    "nm_myoclonic": "Myoclonic-absence-seizure",
    "nm_eyelidMyio": "Eyelid-myoclonia-absence-seizure",  # spelt so in the standard's file
}
_UNKNOWN_SIGNS = {
    "": "",
    "m": "",
    "m_tonicClonic": "Tonic-clonic-motor-seizure",
    "m_spasms": "Epileptic-spasm-episode",
    "nm": "Nonmotor-seizure",
    "nm_behavior": "Behavior-arrest-nonmotor-seizure",
}


def _family(stem: str, tag: str, signs: dict[str, str]) -> dict[str, str]:
    """`<stem>_<sign>` -> `<tag>, <tag of the sign>`."""
    return {"_".join(filter(None, (stem, sign))): ", ".join(filter(None, (tag, own))) for sign, own in signs.items()}


HED: dict[str, str] = {
    BACKGROUND: "Continuous-background-activity",
    "sz": "Unclassified-epileptic-seizure",
    "sz_foc": "Awareness-unknown-focal-onset-epileptic-seizure",
    "sz_foc_a": _FOCAL["sz_foc_a"],
    "sz_foc_ia": _FOCAL["sz_foc_ia"],  # `sz_foc_ua` itself is not in the list, only its refinements
    **{name: tag for stem, own in _FOCAL.items() for name, tag in _family(stem, own, _FOCAL_SIGNS).items()},
    "sz_foc_f2b": "Focal-to-bilateral-tonic-clonic-focal-onset-epileptic-seizure, Tonic-clonic-motor-seizure",
    **_family("sz_gen", "Generalized-onset-epileptic-seizure", _GENERALISED_SIGNS),
    **_family("sz_uo", "Unknown-onset-epileptic-seizure", _UNKNOWN_SIGNS),
}

EVENT_TYPE = {  # of our codes (TUSZ); `mysz` is myoclonic, and the nearest type listed is a myoclonic absence (T18)
    "seiz": "sz", "fnsz": "sz_foc", "gnsz": "sz_gen", "spsz": "sz_foc_a", "cpsz": "sz_foc_ia", "absz": "sz_gen_nm",
    "tnsz": "sz_gen_m_tonic", "cnsz": "sz_gen_m_clonic", "tcsz": "sz_gen_m_tonicClonic", "atsz": "sz_gen_m_atonic",
    "mysz": "sz_gen_nm_myoclonic", "bckg": BACKGROUND,
}  # fmt: skip
_CODE = {
    **{event_type: code for code, event_type in EVENT_TYPE.items()},
    "sz_gen_m": "gnsz",
    "sz_uo": "seiz",
}


def szcore_code(event_type: str) -> str | None:
    """The code of a SzCORE eventType, e.g. `sz_foc_ia` -> `cpsz`; None for an unknown one. Case matters (T42).

    An unlisted refinement falls back on what it refines: `sz_foc_f2b` is focal, `fnsz`.
    """
    name = event_type
    while name:
        if name in _CODE:
            return _CODE[name]
        name = name.rpartition("_")[0]
    return None
