"""Words for seizures in the annotations of clinical EEG, and words that are merely near one."""

import unicodedata

import pytest

from pipeline.corpora._seizure_words import may_mean_seizure

SEIZURES = {
    "English": "seizure, Seizure onset, EEG seizure end, Sz3, SZ_FOC, sz, ictal, ictal onset, peri-ictal, GTCS, GTC, "
    "FBTCS, absence, absences, tonic-clonic, tonic clonic sz, tonicoclonic, tonic, clonic, tonic posturing, myoclonic, "
    "myoclonic jerks, myoclonus, atonic, drop attack, epileptic spasm, spasms, convulsion, convulsive, attack, aura, "
    "grand mal, Petit Mal, status epilepticus, NCSE, FIAS, CPS, EEG onset, clinical offset, automatisms, hypermotor",
    "German": "Anfall, Anfälle, Anfaelle, Anf\ufffdlle, Anfallsbeginn, Grand-mal-Anfall, Krampfanfall, Absence, "
    "Absencen, Absenz, tonisch-klonisch, tonisch, klonisch, myoklonisch, Myoklonie, Klonus, atonisch, Konvulsion, "
    "iktal, Attacke, GTKA",
    "Italian": "crisi, Crisi generalizzata, inizio crisi, assenza, assenze, tonico-clonica, mioclonia, mioclonie, "
    "spasmo, spasmi, convulsione, convulsioni, fase critica, scarica critica, attacco, ictale",
    "French": "crise, crises, Début crise, crise tonico-clonique, clonique, tonique, absence, spasme, spasmes, "
    "convulsion, décharge critique, myoclonie, myoclonies, CGTC, attaque, ictale",
    "Spanish": "crisis, inicio de crisis, crisis tónico-clónica, tónica, clónica, ausencia, ausencias, espasmo, "
    "convulsión, convulsiones, mioclónica, mioclonía, atónica, ataque, ictal",
}  # fmt: skip
OTHERS = (
    "interictal, inter-ictal spikes, inter ictal, interiktal, intercritique, inter-critico, postictal, "
    "post-ictal slowing, post_ictal, postiktal, postcritique, preictal, pre-ictal, präiktal, pré-critique, "
    "eyes open, eyes closed, awake, sleep, szem, photic 12 Hz, HV start, hyperventilation, hypotonic, hypertonic, "
    "3 cps, 12cps alpha, critical care, cristal, spike, sharp wave, epileptiform discharge, SWC, artefact, "
    "electrode test, impedance check, movement, chewing, Abfall, Augen zu, ojos cerrados, occhi chiusi, yeux, "
    "sommeil, Schlaf, calibration, montage, background, normal, bckg, restaurant, aural, Recording starts, "
    "sleep onset, stage 2, EMG, ECG, EEG start, talking, patient button, event 1, attacked"
)


@pytest.mark.parametrize(
    ("language", "word"), [(language, word) for language, words in SEIZURES.items() for word in words.split(", ")]
)
def test_a_word_for_a_seizure(language, word):
    forms = [word, word.upper(), word.lower(), f"  {word}, left", f"2 {word}", unicodedata.normalize("NFD", word)]
    assert [form for form in forms if not may_mean_seizure(form) and not (word == "CPS" and form[0] == "2")] == []


@pytest.mark.parametrize("word", OTHERS.split(", "))
def test_no_word_for_a_seizure(word):
    assert not may_mean_seizure(word)
    assert not may_mean_seizure(word.upper())


@pytest.mark.parametrize(("part", "means"), [("tonic", True), (" ", False), ("-critic", False), ("a", False)])
def test_a_text_of_a_million_letters_is_read_as_a_short_one_is(part, means):
    """A rule that tried every way to part such a text would not come to an end."""
    assert may_mean_seizure(part * 3) is means
    assert may_mean_seizure(part * (10**6 // len(part))) is means
