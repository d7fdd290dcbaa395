#!/usr/bin/python3
"""Trains the face network (landmarks and identity) on the shards of `facet synth` and writes it as ONNX.

  tools/train/train_landmarks.py --data DIR --shard-model ICT.npz --out DIR --minutes 60

Every few minutes DIR/checkpoint.pt (continue with --resume) and the ONNX file with its JSON are rewritten, so that a usable
network exists early and after an interruption. On CPU each core is a process of its own with a part of the batch; gradients are
averaged once per step, which shares a busy machine far better than threads that wait for each other inside every layer.
"""
import argparse
import copy
import math
import os
import sys
import time

import numpy as np
import torch
import torch.distributed
import torch.multiprocessing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import export_network
from landmark_layout import NUM_IBUG, LandmarkLayout
from identity_target import NUM_MODES, IdentityTarget
from network import LandmarkNet
from samples import BatchStream, SampleMaker, collate, read_backgrounds
from shards import ShardFolder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IBUG_SHARE = 0.6           # of the landmark loss; the dense points share the rest
IDENTITY_WEIGHT = 0.5      # per mm of identity error
DISTANCE_UNIT = 0.01       # crop fractions; an error of this size costs 1 in the distance term
ROBUST_SIGMAS = 2.0        # beyond this many sigmas the likelihood's cost grows linearly


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of shards; new ones are picked up while training runs")
    parser.add_argument("--shard-model", required=True, help="the model that the shards were made with (npz)")
    parser.add_argument("--builtin", default=os.path.join(ROOT, "data/models/facet_head.npz"))
    parser.add_argument("--out", required=True, help="folder for checkpoint.pt and log.txt")
    parser.add_argument("--onnx", help="where the network goes; default OUT/landmarks.onnx")
    parser.add_argument("--backgrounds", help="folder of pictures without faces, for the confidence")
    parser.add_argument("--dense", default=os.path.join(ROOT, "data/landmarks/ict_dense.json"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--batch", type=int, default=0, help="samples per step, all processes together; default 96, CUDA 512")
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    parser.add_argument("--processes", type=int, default=0, help="CPU processes; default one per core")
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="continue OUT/checkpoint.pt where its schedule stood")
    parser.add_argument("--start", help="checkpoint whose weights to start from, with a fresh schedule")
    return parser.parse_args()


def learning_rate(progress, largest):
    """One cycle: 5 % of the time up, then a cosine down to a hundredth."""
    if progress < 0.05:
        return largest * (0.05 + 0.95 * progress / 0.05)
    t = (progress - 0.05) / 0.95
    return largest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(t, 1.0))))


def losses(network, output, points, weights, is_face, identity, metric, likelihood_share):
    """Distance + Gaussian likelihood of the points (2D isotropic sigma each) and of the identity coefficients; binary cross entropy
    of the face logit. `metric` (K x K, mm^2) turns differences of coefficients into distances on the face.

    The likelihood teaches sigma; alone it would neglect difficult pictures, hence the distance term beside it.
    """
    predicted, log_sigma, logit, coefficients, log_sigma_c = network.split(output)
    num_dense = points.shape[1] - NUM_IBUG
    share = torch.full((points.shape[1],), IBUG_SHARE / NUM_IBUG if num_dense else 1.0 / NUM_IBUG, device=points.device)
    if num_dense:
        share[NUM_IBUG:] = (1 - IBUG_SHARE) / num_dense
    weights = weights * share
    squared = (predicted - points).square().sum(2)
    distance = (squared + (0.3 * DISTANCE_UNIT) ** 2).sqrt() / DISTANCE_UNIT
    log_sigma = log_sigma.clamp(-6.5, 0.0)
    in_sigmas = squared * torch.exp(-2 * log_sigma)
    likelihood = 2 * log_sigma + ROBUST_SIGMAS ** 2 * ((1 + in_sigmas / ROBUST_SIGMAS ** 2).sqrt() - 1)
    faces = is_face.sum().clamp(min=1)
    parts = {"distance": (weights * distance).sum() / faces, "likelihood": (weights * likelihood).sum() / faces,
             "face": torch.nn.functional.binary_cross_entropy_with_logits(logit, is_face)}
    known = torch.isfinite(identity[:, 0]).float()
    difference = torch.nan_to_num(identity) - coefficients
    distance_mm = ((difference @ metric) * difference).sum(1).clamp(min=0).add(0.01).sqrt()
    mode_share = metric.diagonal().sqrt() / metric.diagonal().sqrt().sum()
    log_sigma_c = log_sigma_c.clamp(-4, 1)
    likelihood_c = log_sigma_c + 0.5 * (difference * torch.exp(-log_sigma_c)).square()
    people = known.sum().clamp(min=1)
    parts["identity_mm"] = (known * distance_mm).sum() / people
    parts["likelihood_c"] = (known * (likelihood_c @ mode_share)).sum() / people
    total = (0.5 * parts["distance"] + likelihood_share * 0.5 * parts["likelihood"] + 0.5 * parts["face"]
             + IDENTITY_WEIGHT * (parts["identity_mm"] + likelihood_share * parts["likelihood_c"]))
    return total, parts


class Average:
    """Exponential moving average of weights and batch statistics: the network that is kept."""

    def __init__(self, network):
        self.network = copy.deepcopy(network).eval()
        self.steps = 0

    def update(self, network, decay=0.998):
        self.steps += 1
        decay = min(decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for kept, new in zip(self.network.state_dict().values(), network.state_dict().values()):
                if kept.dtype.is_floating_point:
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)


def mean_points(folder, layout, identity_target, count=400):
    maker = SampleMaker(folder, layout, identity_target, 1)
    rows = []
    for shard in [folder.validation, *folder.shards.values()]:
        rows += [maker.face_sample(shard, int(i), plain=True)[1] for i in np.flatnonzero(shard.has_face)[:count]]
        if len(rows) >= count:
            break
    return np.mean(rows, 0)


def validate(network, folder, layout, identity_target, device, count=768):
    """Mean error per region on held-out synthetic faces, % of the outer-eye distance; robustness and confidence too."""
    shard = folder.validation
    maker = SampleMaker(folder, layout, identity_target, 12345)
    chosen = [int(i) for i in range(min(count, len(shard)))]
    table = {}
    for label, plain in (("canonical", True), ("degraded", False)):
        rows = [maker.face_sample(shard, i, plain) for i in chosen]
        errors, confidence, truth, hidden, scaled, identity_mm, identity_scaled = [], [], [], [], [], [], []
        for first in range(0, len(rows), 64):
            images, points, weights, is_face, identity = collate(rows[first:first + 64])
            with torch.no_grad():
                predicted, log_sigma, logit, coefficients, log_sigma_c = network.split(network(images.to(device)))
            predicted, sigma = predicted.cpu().numpy(), log_sigma.clamp(-6.5, 0).exp().cpu().numpy()
            points, weights = points.numpy(), weights.numpy()
            faces = is_face.numpy() > 0
            confidence.append(torch.sigmoid(logit).cpu().numpy())
            truth.append(faces)
            distance = np.linalg.norm(predicted - points, axis=2)
            # The size of a canonical crop stands for the outer-eye distance, which vanishes in profile: mean ratio 0.41.
            side = np.array([crop_side(p) if f else 1.0 for p, f in zip(points, faces)])
            errors.append((100 * distance / (0.41 * side[:, None]))[faces])
            hidden.append((weights < 0.99)[faces])
            scaled.append((distance / sigma)[faces])
            known = np.isfinite(identity[:, 0].numpy())
            difference = (identity - coefficients.cpu()).numpy()[known]
            square_mm = np.einsum("ni,ij,nj->n", difference, identity_target.metric, difference)
            truth_c = identity.numpy()[known]   # their size is the error of the average face
            identity_mm.append(np.stack([square_mm, np.einsum("ni,ij,nj->n", truth_c, identity_target.metric, truth_c)], 1))
            identity_scaled.append(difference / log_sigma_c.cpu().clamp(-4, 1).exp().numpy()[known])
        errors, confidence, truth = np.concatenate(errors), np.concatenate(confidence), np.concatenate(truth)
        hidden, scaled = np.concatenate(hidden), np.concatenate(scaled)
        row = {name: float(errors[:, index].mean()) for name, index in layout.regions.items()}
        row["all 68"] = float(errors[:, :NUM_IBUG].mean())
        row["visible 68"] = float(errors[:, :NUM_IBUG][~hidden[:, :NUM_IBUG]].mean())
        row["error/sigma"] = float(np.sqrt(np.mean(np.minimum(scaled, 10) ** 2) / 2))
        row["found"] = float((confidence[truth] > 0.5).mean() * 100)
        row["false"] = float((confidence[~truth] > 0.5).mean() * 100) if (~truth).any() else 0.0
        if len(np.concatenate(identity_mm)):
            row["identity_mm"], row["average_face_mm"] = (float(v) for v in np.sqrt(np.concatenate(identity_mm)).mean(0))
            row["identity/sigma"] = float(np.sqrt(np.mean(np.concatenate(identity_scaled) ** 2)))
        table[label] = row
    return table


def crop_side(points):
    import crops
    return crops.crop_from_landmarks(points[:NUM_IBUG]).side_px


def table_text(table):
    columns = list(next(iter(table.values())))
    lines = [f"{'validation':12s}" + "".join(f"{c:>12s}" for c in columns)]
    lines += [f"{label:12s}" + "".join(f"{row[c]:12.2f}" for c in columns) for label, row in table.items()]
    return "\n".join(lines)


def save_checkpoint(path, network, average, optimizer, elapsed, step, seen):
    state = {"network": network.state_dict(), "average": average.network.state_dict(), "average_steps": average.steps,
             "optimizer": optimizer.state_dict(), "elapsed": elapsed, "step": step, "seen": seen,
             "num_points": network.num_points}
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def train(rank, world, args, device):
    torch.manual_seed(args.seed)
    if device == "cpu":
        torch.set_num_threads(1)
    if world > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{os.path.abspath(args.out)}/.rendezvous",
                                             rank=rank, world_size=world)
    folder = ShardFolder(args.data)
    layout = LandmarkLayout(args.dense, folder.validation.landmarks.shape[1])
    identity_target = IdentityTarget(args.builtin, args.shard_model, args.dense)
    metric = torch.tensor(identity_target.metric, dtype=torch.float32, device=device)
    network = LandmarkNet(layout.num_points, NUM_MODES)
    network.start_from(mean_points(folder, layout, identity_target))
    network = network.to(device, memory_format=torch.channels_last).train()
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}])
    average = Average(network)
    checkpoint_path = os.path.join(args.out, "checkpoint.pt")
    elapsed_before, step, seen = 0.0, 0, 0
    if args.resume or args.start:
        state = torch.load(checkpoint_path if args.resume else args.start, map_location=device)
        for target, weights in ((network, state["average" if args.start else "network"]), (average.network, state["average"])):
            missing, unknown = target.load_state_dict(weights, strict=bool(args.resume))
            if unknown or any(not name.startswith("identity_head.") for name in missing):   # a landmark network may lack that head
                raise SystemExit(f"--start {args.start}: not a checkpoint of this network (missing {missing}, unknown {unknown})")
        if args.resume:
            optimizer.load_state_dict(state["optimizer"])
            average.steps = state["average_steps"]
            elapsed_before, step, seen = state["elapsed"], state["step"], state["seen"]

    batch = (args.batch or (96 if device == "cpu" else 512)) // world
    stream = BatchStream(folder, layout, identity_target, batch, [args.seed, rank, step], read_backgrounds(args.backgrounds))
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=0 if device == "cpu" else os.cpu_count(),
                                         pin_memory=device != "cpu")
    parameters = decayed + plain
    started = last_line = last_save = time.time()
    running = None
    log = open(os.path.join(args.out, "log.txt"), "a") if rank == 0 else None

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")
        log.flush()

    def report_and_save(final):
        elapsed = elapsed_before + time.time() - started
        average.network.eval()
        table = validate(average.network, folder, layout, identity_target, device)
        say(f"after {elapsed / 60:.1f} min, {seen} samples of {len(folder)} faces\n{table_text(table)}")
        save_checkpoint(checkpoint_path, network, average, optimizer, elapsed, step, seen)
        export_network.export(average.network, layout, args.onnx or os.path.join(args.out, "landmarks.onnx"),
                              {"minutes": round(elapsed / 60, 1), "samples_seen": seen, "synthetic_faces": len(folder),
                               "finished": final, "validation": table},
                              sigma_scale=table["degraded"]["error/sigma"],
                              identity_sigma_scale=table["canonical"].get("identity/sigma", 1.0))

    for images, points, weights, is_face, identity in loader:
        progress = (elapsed_before + time.time() - started) / (60 * args.minutes)
        images = images.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        points, weights, is_face, identity = (t.to(device, non_blocking=True) for t in (points, weights, is_face, identity))
        if device == "cpu":
            output = network(images)
        else:
            with torch.autocast("cuda", torch.bfloat16):
                output = network(images)
        total, parts = losses(network, output.float(), points, weights, is_face, identity, metric,
                              1.0 if args.start else min(1.0, max(0.0, progress / 0.03 - 0.3)))
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        if world > 1:   # one exchange per step; the progress travels along so that all processes agree on it
            flat = torch.cat([p.grad.reshape(-1) for p in parameters] + [torch.tensor([progress])])
            torch.distributed.all_reduce(flat)
            flat /= world
            progress = float(flat[-1])
            offset = 0
            for p in parameters:
                p.grad = flat[offset:offset + p.numel()].view_as(p)
                offset += p.numel()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress, args.rate)
        optimizer.step()
        step += 1
        seen += batch * world
        if rank == 0:
            average.update(network)
            now = [float(total), *(float(v) for v in parts.values())]
            running = now if running is None else [0.98 * a + 0.02 * b for a, b in zip(running, now)]
            if time.time() - last_line > 15:
                last_line = time.time()
                rate = step and (seen / max(1e-9, elapsed_before + time.time() - started))
                names = ["loss", *parts]
                say(f"{100 * progress:5.1f} %  step {step}  {seen} samples  {rate:.0f}/s  lr {learning_rate(progress, args.rate):.1e}  "
                    + "  ".join(f"{n} {v:.3f}" for n, v in zip(names, running)))
            if time.time() - last_save > 60 * args.save_minutes:
                report_and_save(False)
                last_save = time.time()
        if progress >= 1:
            break
    if rank == 0:
        report_and_save(True)


def main():
    args = arguments()
    os.makedirs(args.out, exist_ok=True)
    device = args.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    rendezvous = os.path.join(args.out, ".rendezvous")
    if os.path.exists(rendezvous):
        os.remove(rendezvous)
    world = (args.processes or os.cpu_count()) if device == "cpu" else 1
    if world == 1:
        train(0, 1, args, device)
    else:
        torch.multiprocessing.spawn(train, (world, args, device), nprocs=world)


if __name__ == "__main__":
    main()
