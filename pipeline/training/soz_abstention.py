"""When several models together say nothing of a patient (spec soz.md, section 12). Without torch."""

ABSTAINED = "no confident SOZ: possible missed coverage"


def abstention(highest: float, threshold: float, most: int, n_models: int) -> str:
    """Why there is no answer; empty where there is one.

    `highest`: the largest mean probability of a contact; `most`: models that call the contact that is called by most.
    There is none where no contact reaches the threshold, or no contact is called by more than half of the models.
    """
    if not highest >= threshold:  # NaN: nothing was scored
        return f"{ABSTAINED} (the highest probability is {highest:.3f}, the threshold {threshold:.3f})"
    if most * 2 <= n_models:
        return f"{ABSTAINED} (the models disagree: no contact is called by more than {most} of {n_models})"
    return ""
