"""The Patient Demographics Supplier (ITI TF-1, 8)."""

from xds.pdq.supplier import PatientDemographicsSupplier

__all__ = ["PatientDemographicsSupplier"]
