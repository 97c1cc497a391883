# SPDX-License-Identifier: BSD-3-Clause
"""The laboratory: a PoP, its customers and the platform in network namespaces of one machine."""
