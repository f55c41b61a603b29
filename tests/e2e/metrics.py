#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
OpenMetrics text from stdin, read by the parser of the Prometheus project, as JSON:

    { "families": { NAME: { "type", "unit", "help" } },
      "samples": { 'NAME{KEY="VALUE",...}': VALUE } }      keys sorted

Exit 1: it is none, or it has a sample twice.
"""

import json
import sys

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit(77)


def key(sample):
    labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def main():
    families, samples = {}, {}
    try:
        for family in text_string_to_metric_families(sys.stdin.read()):
            families[family.name] = {
                "type": family.type, "unit": family.unit, "help": family.documentation}
            for sample in family.samples:
                if key(sample) in samples:
                    raise ValueError(f"{key(sample)} stands twice")
                samples[key(sample)] = sample.value
    except ValueError as error:
        sys.exit(f"metrics.py: {error}")
    json.dump({"families": families, "samples": samples}, sys.stdout, ensure_ascii=False)


main()
