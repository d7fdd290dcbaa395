#!/usr/bin/python3
"""Trains facet's networks on the faces that `facet synth` draws, and writes them as ONNX with a JSON beside.

  tools/train/train.py face --data DIR --shard-model ICT.npz --out DIR --minutes 60
  tools/train/train.py detector --data DIR --backgrounds PICTURES --out DIR --minutes 30
  tools/train/train.py parsing --data DIR --out DIR --minutes 30

Every few minutes OUT/checkpoint.pt (go on with --resume) and the ONNX file are rewritten, so that a usable network exists early
and after an interruption; a line of losses is printed every 15 seconds and OUT/log.txt keeps all. On CPU each core is a process
of its own with a part of the batch; gradients are averaged once per step, which shares a busy machine far better than threads
that wait for each other inside every layer. A GPU is used when there is one.
"""
import argparse
import copy
import math
import os
import sys
import time

import torch
import torch.distributed
import torch.multiprocessing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from detector_task import DetectorTask
from face_task import FaceTask
from parsing_task import ParsingTask
from shards import shard_names

TASKS = {"face": FaceTask, "detector": DetectorTask, "parsing": ParsingTask}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="task", required=True)
    for name, task in TASKS.items():
        verb = verbs.add_parser(name, help=task.__doc__.splitlines()[0])
        verb.add_argument("--data", required=True, help="folder of shards; new ones are picked up while training runs")
        verb.add_argument("--out", required=True, help="folder for checkpoint.pt and log.txt")
        verb.add_argument("--onnx", help=f"where the network goes; default OUT/{task.file_name}")
        verb.add_argument("--minutes", type=float, default=60)
        verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
        verb.add_argument("--batch", type=int, default=0,
                          help=f"samples per step, all processes together; default {task.cpu_batch}, CUDA {task.cuda_batch}")
        verb.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
        verb.add_argument("--processes", type=int, default=0, help="CPU processes; default one per core")
        verb.add_argument("--save-minutes", type=float, default=5)
        verb.add_argument("--seed", type=int, default=0)
        verb.add_argument("--resume", action="store_true", help="continue OUT/checkpoint.pt where its schedule stood")
        verb.add_argument("--start", help="checkpoint whose weights to start from, with a fresh schedule")
        verb.add_argument("--export-only", action="store_true", help="validate and write OUT/checkpoint.pt as ONNX, train nothing")
        task.add_arguments(verb)
    return parser.parse_args()


def learning_rate(progress, largest):
    """One cycle: 5 % of the time up, then a cosine down to a hundredth."""
    if progress < 0.05:
        return largest * (0.05 + 0.95 * progress / 0.05)
    t = (progress - 0.05) / 0.95
    return largest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(t, 1.0))))


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


def table_text(table):
    columns = list(next(iter(table.values())))
    lines = [f"{'validation':12s}" + "".join(f"{c:>14s}" for c in columns)]
    lines += [f"{label:12s}" + "".join(f"{row[c]:14.2f}" for c in columns) for label, row in table.items()]
    return "\n".join(lines)


def save_checkpoint(path, task, network, average, optimizer, elapsed, step, seen):
    state = {"network": network.state_dict(), "average": average.network.state_dict(), "average_steps": average.steps,
             "optimizer": optimizer.state_dict(), "elapsed": elapsed, "step": step, "seen": seen,
             "validation_name": task.folder.validation_name}
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def load_weights(task, network, average, state, path, from_average):
    """`--start` may lack what the task says it may, or have it in another size; then that part starts anew."""
    for target, weights in ((network, state["average" if from_average else "network"]), (average.network, state["average"])):
        own = target.state_dict()
        fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
        lacking = [k for k in own if k not in fitting and not any(k.startswith(p) for p in task.may_start_anew)]
        if lacking or (not from_average and len(fitting) != len(own)):
            raise SystemExit(f"{path}: not a checkpoint of this network (it lacks {', '.join(lacking) or 'heads'})")
        target.load_state_dict(fitting, strict=False)


def train(rank, world, args, device):
    torch.manual_seed(args.seed)
    if device == "cpu":
        torch.set_num_threads(1)
    if world > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{os.path.abspath(args.out)}/.rendezvous",
                                             rank=rank, world_size=world)
    checkpoint_path = os.path.join(args.out, "checkpoint.pt")
    resume = args.resume or args.export_only
    state = None
    if resume or args.start:
        path = checkpoint_path if resume else args.start
        if not os.path.exists(path):
            raise SystemExit(f"{path}: no checkpoint there to go on from")
        state = torch.load(path, map_location=device)
    task = TASKS[args.task](args, device, state.get("validation_name") if resume else args.validation_name)
    network = task.make_network().to(device, memory_format=torch.channels_last).train()
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}])
    average = Average(network)
    elapsed_before, step, seen = 0.0, 0, 0
    if state:
        load_weights(task, network, average, state, path, from_average=not resume)
        if resume:
            optimizer.load_state_dict(state["optimizer"])
            average.steps = state["average_steps"]
            elapsed_before, step, seen = state["elapsed"], state["step"], state["seen"]

    started = last_line = last_save = time.time()
    log = open(os.path.join(args.out, "log.txt"), "a") if rank == 0 else None

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")
        log.flush()

    def report_and_save(final):
        elapsed = elapsed_before + time.time() - started
        average.network.eval()
        table = task.validate(average.network)
        say(f"after {elapsed / 60:.1f} min, {seen} samples\n{table_text(table)}")
        if not args.export_only:
            save_checkpoint(checkpoint_path, task, network, average, optimizer, elapsed, step, seen)
        training = {"minutes": round(elapsed / 60, 1), "samples_seen": seen, "seed": args.seed, "finished": final,
                    **task.data_facts(), "validation": table}
        task.export(average.network, args.onnx or os.path.join(args.out, task.file_name), training, table)

    if args.export_only:
        report_and_save(True)
        return
    batch = (args.batch or (task.cpu_batch if device == "cpu" else task.cuda_batch)) // world
    loader = torch.utils.data.DataLoader(task.stream(batch, [args.seed, rank, step]), batch_size=None,
                                         num_workers=0 if device == "cpu" else os.cpu_count(), pin_memory=device != "cpu")
    parameters = decayed + plain
    running = None
    for samples in loader:
        progress = (elapsed_before + time.time() - started) / (60 * args.minutes)
        images, *truth = (t.to(device, non_blocking=True) for t in samples)
        images = images.contiguous(memory_format=torch.channels_last)
        if device == "cpu":
            output = network(images)
        else:
            with torch.autocast("cuda", torch.bfloat16):
                output = network(images)
        total, parts = task.loss(network, output.float(), truth, 1.0 if args.start else progress)
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
                rate = seen / max(1e-9, elapsed_before + time.time() - started)
                say(f"{100 * progress:5.1f} %  step {step}  {seen} samples  {rate:.0f}/s  lr {learning_rate(progress, args.rate):.1e}  "
                    + "  ".join(f"{n} {v:.3f}" for n, v in zip(["loss", *parts], running)))
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
    names = shard_names(args.data)
    args.validation_name = names[-1] if names else None   # one choice for all processes, however many shards come later
    world = (args.processes or os.cpu_count()) if device == "cpu" and not args.export_only else 1
    if world == 1:
        train(0, 1, args, device)
    else:
        torch.multiprocessing.spawn(train, (world, args, device), nprocs=world)


if __name__ == "__main__":
    main()
