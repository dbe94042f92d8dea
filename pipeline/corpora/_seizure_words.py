"""Whether a free text speaks of a seizure, in the words of clinical EEG: English, German, Italian, French, Spanish.

It decides nothing but doubt: a text that may mean a seizure is never background. Too much doubt costs the labels of a
recording, too little makes them wrong; so what a seizure is called is here in full, and what is merely near one
(`interictal`, `postictal`, `epileptiform`, `event`) is not.
"""

import re
import unicodedata

_NEAR = "".join(f"(?<!{before})(?<!{before} )" for before in ("inter", "pre", "pra", "prae", "post"))
_WORDS = (
    r"seiz|szs?(?![a-z])",  # `Seizure onset`, `Sz3`
    # not `peri`: the time around a seizure holds the seizure
    rf"{_NEAR}(?:i[ck]tal|critiques?(?![a-z])|critic[oaie]s?(?![a-z]))",
    r"(?<![a-z])cris[ie]s?(?![a-z])",
    r"anf(?:a|ae| )ll(?!end)",  # `Anfall`, `Anfälle`, and with the letter lost
    r"[ck]onvul|krampf|spasm|absen[cz]|ausencia|assenz[ae]",
    r"(?<![a-z])(?:att?aques?|atta[ck]{1,2}e?s?|attacc[oh]i?)(?![a-z])",
    r"(?<![a-z])(?:a|myo?|mio)?(?:tono|tonico)?(?:tonic|tonisch|tonique|[ck]lonic|klonisch|clonique)",
    r"tonic ?o?[ck]lon|tonisch ?klon|m[yi]o[ck]lon|(?<![a-z])[ck]lon(?:us|ie|ia)(?![a-z])",
    r"(?<![a-z])atoni[ackq]|atonisch|drop attack",
    r"(?<![a-z])(?:grand|petit) ?mal(?![a-z])|status epilept|(?<![a-z])aura(?![a-z])",
    r"hyper(?:kin|motor)|automatism|gelasti|(?<![a-z])(?:eeg|clinical|electro[a-z]*) (?:on|off)set",
    r"(?<![a-z])(?:gtcs?|gtks?|gtka|fbtcs?|btcs|tcs|ctcg|cgtc|fias|cpc|ncse)(?![a-z])",
    r"(?<![a-z0-9])(?<![0-9] )cps(?![a-z])",  # complex partial, but `3 cps` is a rhythm
)
_SEIZURE = re.compile("|".join(_WORDS))


def may_mean_seizure(text: str) -> bool:
    """Whether the text holds a word for a seizure, in any case, with or without accents and hyphens."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return _SEIZURE.search(re.sub(r"[\W_]+", " ", plain.lower())) is not None
