# Score a folder of EDFs that the user names with a trained detector: a held-out plausibility check, not an evaluation.
from pipeline.corpora._pseudonyms import private_folder


def segment_inputs(wildcards):
    chosen, corpus = CFG.real_segments, CFG.corpus
    run = CFG.runs[chosen.run]
    folder = f"{CFG.results}/{corpus}/detection-{chosen.length_s}s/{chosen.run}/seed{chosen.seed}"
    frames = f"{CFG.results}/{corpus}/features/{INPUTS.scaled_as(corpus, run)}/grid"
    return {
        "model": f"{folder}/model.safetensors",
        "card": f"{folder}/card.json",
        "scaler": f"{frames}/scalers/detection-{chosen.length_s}s.json",
        "graphs": f"{CFG.results}/{corpus}/graphs/distance.zarr.zip",
        "files": segment_files(),
    }


def segment_files():
    """The list of the EDFs below real_segments.root and of the table of labels, with sizes (NEEDS asks by them) and times."""
    root = CFG.real_segments.root
    if root is None:
        raise WorkflowError(
            "real_segments.root is not set: --config 'real_segments={root: FOLDER}' with a folder of EDF files"
        )
    found = sorted(
        str(path)
        for path in Path(root).rglob("*")
        if path.suffix.lower() == ".edf" or path.name == "INDEX.csv"
    )
    if not found:
        raise WorkflowError(f"real_segments.root: {root} holds no EDF file")
    listed = [
        (path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns)
        for path in found
    ]
    private = private_folder(Path(CFG.results, "real-segments", "private"))
    write_if_changed(private / "inputs.json", [list(entry) for entry in listed])
    return str(private / "inputs.json")  # names of files stay out of Snakemake's log


rule score_segments:
    input:
        unpack(segment_inputs),
    output:
        page=f"{CFG.results}/real-segments/index.html",
        predictions=f"{CFG.results}/real-segments/predictions.parquet",
        findings=f"{CFG.results}/real-segments/findings.parquet",
        segments=f"{CFG.results}/real-segments/segments.parquet",
        summary=f"{CFG.results}/real-segments/summary.json",
        maps=f"{CFG.results}/real-segments/occlusion.zarr.zip",
    log:
        f"{CFG.results}/real-segments/logs/score_segments.log",
    benchmark:
        f"{CFG.results}/real-segments/benchmarks/score_segments.tsv"
    threads: CFG.device.threads
    resources:
        gpu=GPU,
        mem_mb=NEEDS.memory("score_segments"),
        runtime=NEEDS.minutes("score_segments"),
    params:
        settings=settings(job_settings.score_segments),
        code=code(
            "score_segments",
            "corpora.folder",
            lambda wildcards: model_code(CFG.runs[CFG.real_segments.run].model),
            lambda wildcards: f"features.{CFG.features[CFG.runs[CFG.real_segments.run].features].kind}",
        ),
        root=CFG.real_segments.root or "",
    message:
        "score the recordings below real_segments.root with a detector trained on {CFG.corpus}"
    shell:
        "python -m pipeline.stages.score_segments --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --root {params.root:q} --model {input.model} --card {input.card} --scaler {input.scaler}"
        " --graphs {input.graphs} --out $(dirname {output.page})"


rule:
    name:
        "real-segments"
    input:
        f"{CFG.results}/real-segments/index.html",
    message:
        "the folder real_segments.root, scored"
